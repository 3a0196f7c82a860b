// A store with a place for each project: data goes to its owner's, by whatever way it comes, and the store hears who else may read it.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { test } from "node:test";
import { ServiceError } from "../core/errors.ts";
import type { ReleaseId } from "../releases/catalogue.ts";
import { admin, alice, bob, Fixture, formats, never, patch, read, send, settled } from "./testing/fixture.ts";
import { ProjectStores } from "./testing/project-stores.ts";

const data = randomBytes(10_000);

function setUp(release: ReleaseId = "2026.1") {
  const fixture = new Fixture();
  const store = new ProjectStores();
  const stores = [store.named];
  const node = () => fixture.node({ release, stores, settings: { resumableSeconds: 3_600, multiStore: true } });
  const services = node();
  const create = async () => (await services.images.create(alice, formats)).id;
  const readers = (id: string) => store.readers.get(store.of("alice").locationFor(id));
  const share = (id: string, visibility: string) =>
    services.images.update(alice, id, patch({ op: "replace", path: ["visibility"], value: visibility }));
  return { fixture, store, services, node, create, readers, share };
}

const direct = {
  method: { name: "glance-direct" },
  storeIds: null,
  headerStoreId: null,
  allStores: false,
  allMustSucceed: true,
  body: {},
} as const;

test("places of projects: an upload, whoever makes it, goes to the image's owner's, is read there, and goes with the image", async () => {
  const { store, services, create } = setUp();
  const id = await create();
  await send(services, admin, id, data);
  assert.deepEqual(store.of("alice").keys, [id]);
  assert.deepEqual(await read(services, alice, id), data);
  await services.images.remove(alice, id);
  assert.deepEqual(store.of("alice").keys, []);
});

test("places of projects: so does an import, and an upload in parts that another node ends, though the image has another owner by then", async () => {
  const { fixture, store, services, node, create } = setUp();
  const staged = await create();
  await services.imports.stage(alice, staged, Readable.from([data]), { signal: never, announcedBytes: data.length });
  await services.imports.start(alice, staged, direct);
  while (fixture.transfers.snapshot().length > 0) await settled();
  assert.equal(fixture.database.live(staged)?.status, "active");
  const parts = await create();
  const usual = { signal: never, announcedBytes: null, totalBytes: null };
  try {
    await services.resumable.begin(alice, parts, Readable.from([data.subarray(0, 5_000)]), { ...usual, last: false });
    await services.images.update(admin, parts, patch({ op: "replace", path: ["owner"], value: "bob" }));
    const rest = Readable.from([data.subarray(5_000)]);
    await node().resumable.append(bob, parts, rest, { ...usual, offsetBytes: 5_000, last: true });
  } finally {
    await rm(fixture.partsFolder, { recursive: true, force: true });
  }
  assert.deepEqual(store.of("alice").keys, [staged, parts]);
  assert.deepEqual(await read(services, bob, parts), data);
});

test("places of projects: the lease of an upload names the owner's, where what a dead node leaves is found", async () => {
  const { fixture, store, services, create } = setUp();
  const id = await create();
  const cut = new AbortController();
  const stuck = services.data.upload(alice, id, new Readable({ read: () => undefined }), {
    signal: cut.signal,
    announcedBytes: null,
  });
  while (fixture.database.live(id)?.status !== "saving") await settled();
  assert.deepEqual([...fixture.database.leases.values()][0]?.urls, [store.of("alice").locationFor(id)]);
  cut.abort();
  await assert.rejects(stuck);
  assert.equal(fixture.database.live(id)?.status, "queued");
});

test("readers: members of a shared image, everybody's where it is public or community's, else nobody", async () => {
  const { services, create, readers, share } = setUp();
  const id = await create();
  await send(services, alice, id, data);
  assert.deepEqual(readers(id), []);
  await services.members.add(alice, id, "bob");
  await services.members.add(alice, id, "carol");
  assert.deepEqual(readers(id), ["bob", "carol"]);
  await services.members.remove(alice, id, "bob");
  assert.deepEqual(readers(id), ["carol"]);
  await share(id, "community");
  assert.equal(readers(id), "everybody");
  await share(id, "private");
  assert.deepEqual(readers(id), []);
  await share(id, "shared");
  assert.deepEqual(readers(id), ["carol"]);
});

test("readers: members that an image has before its data are told with the data", async () => {
  const { services, create, readers } = setUp("newton");
  const id = await create();
  await services.members.add(alice, id, "bob");
  await send(services, alice, id, data);
  assert.deepEqual(readers(id), ["bob"]);
});

test("readers: of two changes at once the store ends with what both left, whichever is told last", async () => {
  const { store, services, create, readers } = setUp();
  const id = await create();
  await send(services, alice, id, data);
  const { promise: bothDone, resolve } = Promise.withResolvers<void>();
  let first = true;
  store.beforeShare = async () => {
    if (!first) return;
    first = false;
    await bothDone;
  };
  const slow = services.members.add(alice, id, "bob");
  await settled();
  await services.members.add(alice, id, "carol");
  assert.deepEqual(readers(id), ["bob", "carol"]);
  resolve();
  await slow;
  assert.deepEqual(readers(id), ["bob", "carol"]);
});

test("readers: a store that cannot be told keeps nobody from changing the image, and is told with the next change", async () => {
  const { store, services, create, readers } = setUp();
  const id = await create();
  await send(services, alice, id, data);
  store.beforeShare = async () => {
    throw new ServiceError("stores.unavailable", "Swift is away.");
  };
  await services.members.add(alice, id, "bob");
  assert.deepEqual(readers(id), []);
  store.beforeShare = async () => undefined;
  await services.members.add(alice, id, "carol");
  assert.deepEqual(readers(id), ["bob", "carol"]);
});
