// Several stores in the domain: where data goes, where it is read from, and what becomes of locations that name no store.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import type { ReleaseId } from "../releases/catalogue.ts";
import type { MemoryStore } from "../stores/memory/memory-store.ts";
import {
  admin,
  alice,
  Fixture,
  formats,
  type NodeOptions,
  namedStores,
  never,
  read,
  readOnlyStore,
  send,
  withCode,
} from "./testing/fixture.ts";

const data = Buffer.from("some data");
const keysOf = (stores: NonNullable<NodeOptions["stores"]>) => stores.map(({ store }) => (store as MemoryStore).keys);

function several(options: { release?: ReleaseId; ids?: readonly string[] } & NodeOptions = {}) {
  const fixture = new Fixture();
  const stores = options.stores ?? namedStores(options.ids ?? ["fast", "cheap"]);
  const services = fixture.node({ release: "2026.1", ...options, stores });
  const upload = async (storeId?: string) => {
    const { id } = await services.images.create(alice, formats);
    const chosen = storeId === undefined ? {} : { storeId };
    await services.data.upload(alice, id, Readable.from([data]), {
      signal: never,
      announcedBytes: data.length,
      ...chosen,
    });
    return id;
  };
  return { fixture, stores, services, upload };
}

test("stores: data goes to the store the client names, else to the default one, and the location says which", async () => {
  for (const [release, key] of [
    ["rocky", "backend"],
    ["train", "store"],
    ["2026.1", "store"],
  ] as const) {
    const { stores, services, upload } = several({ release });
    const [first, second] = [await upload(), await upload("cheap")];
    assert.deepEqual(keysOf(stores), [[first], [second]]);
    for (const [id, store] of [
      [first, "fast"],
      [second, "cheap"],
    ] as const) {
      const { locations } = await services.images.show(alice, id);
      assert.deepEqual(locations, [{ url: `memory://${store}/${id}`, metadata: { [key]: store }, status: "active" }]);
      assert.deepEqual(await read(services, alice, id), data);
    }
  }
});

test("stores: an unknown store, and one that only gives data, are refused before anything happens", async () => {
  const stores = namedStores(["fast", "web"]).map((named) =>
    named.id === "web" ? { ...named, store: readOnlyStore(named.store) } : named,
  );
  const { fixture, upload } = several({ stores });
  await assert.rejects(upload("nowhere"), withCode("images.invalid"));
  await assert.rejects(upload("web"), withCode("images.gone"));
  assert.deepEqual(
    [...fixture.database.images.values()].map(({ status }) => status),
    ["queued", "queued"],
  );
  assert.equal(fixture.database.leases.size, 0);
});

test("stores: without several of them, the store a client names means nothing", async () => {
  const fixture = new Fixture();
  const services = fixture.node({ release: "2026.1" });
  const { id } = await services.images.create(alice, formats);
  const options = { signal: never, announcedBytes: data.length, storeId: "cheap" };
  await services.data.upload(alice, id, Readable.from([data]), options);
  assert.deepEqual((await services.images.show(alice, id)).locations[0]?.metadata, {});
  assert.deepEqual(services.stores.ids, []);
  assert.throws(() => services.stores.list(), withCode("images.not_found"));
});

test("stores: the heavier store is read first, and the other one where it fails", async () => {
  const stores = namedStores(["light", "heavy"], { heavy: { weight: 10 } });
  const { fixture, services, upload } = several({ stores });
  const id = await upload();
  const heavy = stores[1]?.store ?? assert.fail();
  await heavy.put(id, Readable.from([Buffer.from("same data")]), { signal: never });
  const [light] = fixture.database.live(id)?.locations ?? [];
  assert(light);
  const both = [light, { url: heavy.locationFor(id), metadata: { store: "heavy" }, status: "active" }];
  fixture.database.write(id, { locations: both });
  assert.equal((await read(services, alice, id)).toString(), "same data");
  assert.deepEqual((await services.images.show(alice, id)).locations, both.toReversed());
  const unweighed = fixture.node({ release: "2023.1", stores });
  assert.equal((await read(unweighed, alice, id)).toString(), "some data");
  await heavy.remove(heavy.locationFor(id));
  assert.equal((await read(services, alice, id)).toString(), "some data");
});

test("stores: a node without several and one with them read each other's data, and each release the other's key", async () => {
  const { fixture, stores, services, upload } = several({ release: "stein", ids: ["fast"] });
  const id = await upload();
  const classic = fixture.node({ release: "queens", store: stores[0]?.store ?? assert.fail() });
  assert.deepEqual(await read(classic, alice, id), data);
  const { id: older } = await classic.images.create(alice, formats);
  await send(classic, alice, older, data);
  assert.deepEqual(await read(services, alice, older), data);
  assert.deepEqual((await services.images.show(alice, older)).locations[0]?.metadata, {}, "Stein adopts nothing");
  const train = fixture.node({ release: "train", stores });
  assert.deepEqual(
    (await train.images.show(alice, id)).locations[0]?.metadata,
    { backend: "fast" },
    "it names a store",
  );
  assert.deepEqual((await train.images.show(alice, older)).locations[0]?.metadata, { store: "fast" });
  assert.deepEqual(await read(services, alice, older), data, "adopted by a newer node, read by an older one");
});

test("stores: a location without a store of this node is adopted by its URL when first shown, and read even if that fails", async () => {
  const { fixture, services, upload } = several();
  const id = await upload();
  const url = `memory://fast/${id}`;
  const note = (metadata: Record<string, unknown>) =>
    fixture.database.write(id, { locations: [{ url, metadata, status: "active" }] });
  const { updatedAt } = note({ store: "renamed", more: 1 });
  fixture.database.faults.set("images.noteLocations", new Error("the database only gives"));
  assert.deepEqual((await services.images.show(alice, id)).locations[0]?.metadata, { store: "fast", more: 1 });
  assert.deepEqual(fixture.database.live(id)?.locations[0]?.metadata, { store: "renamed", more: 1 });
  fixture.database.faults.clear();
  await services.images.show(alice, id);
  assert.deepEqual(fixture.database.live(id)?.locations[0]?.metadata, { store: "fast", more: 1 });
  assert.equal(fixture.database.live(id)?.updatedAt, updatedAt);
  fixture.database.write(id, { locations: [{ url: "memory://elsewhere/1", metadata: {}, status: "active" }] });
  assert.deepEqual((await services.images.show(alice, id)).locations[0]?.metadata, {}, "nobody's URL");
});

test("stores: an image leaves one of its stores, not the last one, and only at an admin's word", async () => {
  const policy = {
    allows: (rule: string, caller: { isAdmin: boolean }) => caller.isAdmin || !/^delete_.*location$/.test(rule),
  };
  const { fixture, stores, services, upload } = several({ policy });
  const id = await upload();
  const cheap = stores[1]?.store ?? assert.fail();
  const remove = (storeId: string, caller = admin) => services.stores.removeImage(caller, storeId, id);
  await assert.rejects(remove("cheap"), withCode("images.not_found"));
  await assert.rejects(remove("fast"), withCode("images.forbidden"));
  await cheap.put(id, Readable.from([data]), { signal: never });
  const copy = { url: cheap.locationFor(id), metadata: { store: "cheap" }, status: "active" };
  fixture.database.write(id, { locations: [...(fixture.database.live(id)?.locations ?? []), copy] });
  await assert.rejects(remove("fast", alice), withCode("images.forbidden"));
  await assert.rejects(remove("nowhere"), withCode("images.status_conflict"));
  await remove("fast");
  assert.deepEqual([keysOf(stores), fixture.database.leases.size], [[[], [id]], 0]);
  assert.deepEqual(await read(services, alice, id), data);
  await services.images.deactivate(admin, id);
  await assert.rejects(remove("cheap"), withCode("images.status_conflict"));
});

test("stores: deleting an image takes its data out of all its stores, and leaves alone what only gives data", async () => {
  const writable = namedStores(["fast", "cheap", "web"]);
  const stores = writable.map((named) =>
    named.id === "web" ? { ...named, store: readOnlyStore(named.store) } : named,
  );
  const { fixture, services, upload } = several({ stores });
  const id = await upload();
  for (const { store } of writable.slice(1)) await store.put(id, Readable.from([data]), { signal: never });
  const locations = stores.map((named) => ({
    url: named.store.locationFor(id),
    metadata: { store: named.id },
    status: "active",
  }));
  fixture.database.write(id, { locations });
  await services.images.remove(alice, id);
  assert.deepEqual([keysOf(writable), fixture.database.leases.size], [[[], [], [id]], 0]);
});

test("stores: the list has what clients need, the details are for whom the policy says", async () => {
  const stores = namedStores(["fast", "web"], { fast: { description: "SSDs", weight: 3 } }).map((named) =>
    named.id === "web" ? { ...named, store: readOnlyStore(named.store) } : named,
  );
  const { services } = several({ stores });
  assert.deepEqual(services.stores.list(), [
    { id: "fast", description: "SSDs", isDefault: true, readOnly: false },
    { id: "web", description: null, isDefault: false, readOnly: true },
  ]);
  const [fast] = services.stores.detail(admin);
  assert.deepEqual([fast?.type, fast?.weight, fast?.properties], ["memory", 3, {}]);
  const yoga = several({ release: "yoga", stores }).services.stores.detail(admin);
  assert.deepEqual([yoga[0]?.weight, yoga[0]?.properties], [null, null]);
  const rocky = several({ release: "rocky", stores }).services.stores.list();
  assert.equal(rocky[1]?.readOnly, false, "Rocky does not tell");
  const { services: refusing } = several({ stores, policy: { allows: (rule) => rule !== "stores_info_detail" } });
  assert.throws(() => refusing.stores.detail(alice), withCode("images.forbidden"));
});

test("stores: a node of before that has one store neither reads nor deletes what a newer node put into another one", async () => {
  const { fixture, stores, upload } = several({ ids: ["fast", "slow"] });
  const [fast] = stores;
  assert(fast);
  const older = fixture.node({ release: "queens", store: fast.store });
  const [there, here] = [await upload("slow"), await upload()];
  await assert.rejects(older.data.download(alice, there, { signal: never }), withCode("stores.foreign"));
  await assert.rejects(older.images.remove(alice, there), withCode("stores.foreign"));
  assert.equal(fixture.database.live(there)?.status, "active");
  assert.deepEqual(
    await read(older, alice, here),
    data,
    "what is in its own is not foreign, whatever it is called there",
  );
  await older.images.remove(alice, here);
  assert.deepEqual(keysOf(stores), [[], [there]]);
});
