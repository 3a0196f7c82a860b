// Locations that clients add and take away: what becomes of the image, of its data, and of requests that do not fit.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { test } from "node:test";
import { ServiceError } from "../core/errors.ts";
import type { ReleaseId } from "../releases/catalogue.ts";
import type { PatchOperation } from "./services.ts";
import {
  admin,
  alice,
  bob,
  Fixture,
  formats,
  leaseSeconds,
  namedStores,
  never,
  read,
  withCode,
} from "./testing/fixture.ts";

const data = Buffer.from("some data");
const sha256 = createHash("sha256").update(data).digest("hex");
const checksum = createHash("md5").update(data).digest("hex");

async function ready(options: { release?: ReleaseId; locationsMax?: number; projectBytesMax?: number } = {}) {
  const { release = "2026.1", locationsMax = 3, projectBytesMax = null } = options;
  const fixture = new Fixture();
  const stores = namedStores(["fast", "cheap"]);
  const { images, ...services } = fixture.node({
    release,
    stores,
    settings: { showLocations: true, locationsMax, projectBytesMax },
  });
  const place = async (store: number, key: string, content: Buffer = data) =>
    (await stores[store]?.store.put(key, Readable.from([content]), { signal: never }))?.url ?? assert.fail();
  const patch = (id: string, ...operations: PatchOperation[]) =>
    images.update(alice, id, { operations, addRefusesExisting: false });
  const { id } = await images.create(alice, formats);
  return { fixture, stores, images, services, place, patch, id };
}

const add = (url: string, more: object = {}): PatchOperation => ({
  op: "add",
  path: ["locations", "-"],
  value: { url, metadata: {}, ...more },
});
const validation = (changes: object = {}) => ({
  validation_data: { os_hash_algo: "sha256", os_hash_value: sha256, checksum, ...changes },
});

test("locations: the first one makes a queued image active, with its size and the hashes that came with it", async () => {
  const { images, services, place, patch, id } = await ready();
  const url = await place(1, "blob");
  const image = await patch(id, add(url, validation()));
  assert.deepEqual(
    [image.status, image.sizeBytes, image.checksum, image.hashAlgorithm, image.hashValue],
    ["active", data.length, checksum, "sha256", sha256],
  );
  assert.deepEqual(image.locations, [{ url, metadata: { store: "cheap" }, status: "active" }]);
  assert.deepEqual(await read({ images, ...services }, alice, id), data);
  const second = await place(0, "blob");
  assert.equal((await patch(id, add(second, validation()))).locations.length, 2);
});

test("locations: a list in the place of none activates too; without formats nothing does", async () => {
  const { images, place, patch, id } = await ready();
  const urls = [await place(0, "a"), await place(1, "a")];
  const all: PatchOperation = { op: "replace", path: ["locations"], value: urls.map((url) => ({ url, metadata: {} })) };
  const image = await patch(id, all);
  assert.deepEqual([image.status, image.locations.length, image.checksum], ["active", 2, null]);
  const bare = await images.create(alice, {});
  await assert.rejects(patch(bare.id, all), withCode("images.invalid"));
  const formatted = [
    { op: "replace", path: ["disk_format"], value: "raw" },
    { op: "replace", path: ["container_format"], value: "bare" },
  ] as const;
  assert.equal((await patch(bare.id, ...formatted, all)).status, "active");
});

test("locations: other metadata leaves them in their stores", async () => {
  const { place, patch, id } = await ready();
  const url = await place(0, "a");
  const { locations } = await patch(id, add(url));
  const noted = locations[0]?.metadata;
  assert.equal(typeof noted?.store, "string");
  const replaced = (metadata: unknown) => patch(id, { op: "replace", path: ["locations"], value: [{ url, metadata }] });
  assert.deepEqual((await replaced({})).locations[0]?.metadata, noted);
  for (const store of ["nobody's", "cheap", "fast"])
    assert.deepEqual((await replaced({ zone: "z", store })).locations[0]?.metadata, { zone: "z", ...noted });
});

test("locations: what is refused leaves the image as it was", async () => {
  const { fixture, images, place, patch, id } = await ready({ locationsMax: 2 });
  const [one, two, other] = [await place(0, "a"), await place(1, "a"), await place(1, "b")];
  const shorter = await place(0, "short", Buffer.from("x"));
  const before = fixture.database.images.get(id);
  const refused: readonly (readonly [PatchOperation[], Parameters<typeof withCode>[0]])[] = [
    [[add("file:///etc/passwd")], "images.invalid"],
    [[add("FILE:///etc/passwd")], "images.invalid"],
    [[add("filesystem:///etc/passwd")], "images.invalid"],
    [[add("swift+config://ref/container/object")], "images.invalid"],
    [[add("nonsense")], "images.invalid"],
    [[add("ftp://host/image")], "images.invalid"],
    [[add("memory://fast/absent")], "images.invalid"],
    [[add(`${one}\nmemory://cheap/b`)], "images.invalid"],
    [[add(`${one} `)], "images.invalid"],
    [[add(`memory://fast/${"x".repeat(255)}`)], "images.invalid"],
    [[add(one), add(one)], "images.invalid"],
    [[add(one), add(shorter)], "images.invalid"],
    [[add(one, { metadata: { big: "x".repeat(70_000) } })], "images.invalid"],
    [[add(one), add(two), add(other)], "images.over_limit"],
    [[add(one, validation({ os_hash_value: "00" }))], "images.invalid"],
    [[add(one, validation({ os_hash_algo: "crc32" }))], "images.invalid"],
    [[add(one, validation({ checksum: "x".repeat(32) }))], "images.invalid"],
    [[add(one, { validation_data: { checksum } })], "images.invalid"],
    [[add(one, validation({ more: 1 }))], "images.invalid"],
    [[add(one, validation()), add(two, validation({ checksum: "0".repeat(32) }))], "images.status_conflict"],
    [[{ op: "remove", path: ["locations", "0"] }], "images.status_conflict"],
  ];
  for (const [operations, code] of refused) {
    await assert.rejects(patch(id, ...operations), withCode(code), JSON.stringify(operations).slice(0, 200));
    assert.deepEqual(fixture.database.images.get(id), before);
  }
  await assert.rejects(images.update(bob, id, { operations: [add(one)], addRefusesExisting: false }));
  await patch(id, add(one));
  await assert.rejects(patch(id, add(two, validation())), withCode("images.status_conflict"), "too late to be new");
  await images.deactivate(admin, id);
  await assert.rejects(patch(id, add(two)), withCode("images.status_conflict"));
});

test("locations: data that a store keeps under the name of another image is not to be had", async () => {
  const { images, place, patch, id } = await ready();
  const { id: foreign } = await images.create(bob, formats);
  const url = await place(0, foreign);
  const spellings = [url, url.replace(foreign, foreign.toUpperCase()), url.replace("-", "%2D"), `${url}?%`];
  for (const spelling of spellings)
    await assert.rejects(patch(id, add(spelling)), withCode("images.invalid"), spelling);
  assert.equal((await patch(id, add(await place(0, id)))).status, "active");
});

test("locations: of two who add at once both are there, and of two who fill the quota one is refused", async () => {
  const { images, place, patch, id } = await ready({ locationsMax: 3 });
  const urls = await Promise.all([0, 1, 2, 3].map((index) => place(index % 2, `k${index}`)));
  const [first = "", ...more] = urls;
  await patch(id, add(first));
  const added = await Promise.allSettled(more.map((url) => patch(id, add(url))));
  assert.deepEqual(added.map(({ status }) => status).sort(), ["fulfilled", "fulfilled", "rejected"]);
  assert.equal((await images.show(alice, id)).locations.length, 3);
});

test("locations: data of one that is removed goes from its store, and if that fails, later", async () => {
  const { fixture, stores, images, services, place, patch, id } = await ready();
  const [one, two, three] = [await place(0, "a"), await place(1, "a"), await place(1, "b")];
  await patch(id, add(one), add(two), add(three));
  const [fast, cheap] = stores.map(({ store }) => store);
  if (!fast || !cheap) assert.fail("there are two stores");
  const first: PatchOperation = { op: "remove", path: ["locations", "0"] };
  const image = await patch(id, first);
  assert.deepEqual(
    image.locations.map(({ url }) => url),
    [two, three],
  );
  await assert.rejects(fast.size(one), withCode("stores.blob_not_found"));
  assert.equal(fixture.database.leases.size, 0);

  const remove = cheap.remove.bind(cheap);
  cheap.remove = () => Promise.reject(new ServiceError("stores.unavailable", "Not now."));
  await patch(id, first);
  assert.equal(await cheap.size(two), data.length);
  cheap.remove = remove;
  await fixture.clock.advance(leaseSeconds * 1_000 + 1);
  assert.equal(await services.reaper.reclaimExpiredUploads(), 1);
  await assert.rejects(cheap.size(two), withCode("stores.blob_not_found"));
  assert.deepEqual(await read({ images, ...services }, alice, id), data);
});

test("locations: the owner's storage counts what is added, and older releases do not read validation_data", async () => {
  const limited = await ready({ projectBytesMax: data.length });
  const url = await limited.place(0, "a");
  await limited.patch(limited.id, add(url));
  await assert.rejects(limited.patch(limited.id, add(await limited.place(1, "a"))), withCode("images.over_limit"));
  const old = await ready({ release: "rocky" });
  const image = await old.patch(old.id, add(await old.place(0, "a"), { validation_data: "ignored" }));
  assert.deepEqual([image.status, image.hashValue], ["active", null]);
});

test("locations: from Xena on their own rules decide about them, not modify_image, which decides first before", async () => {
  const fixture = new Fixture();
  const stores = namedStores(["fast"]);
  const policy = { allows: (rule: string) => rule !== "modify_image" };
  const node = (release: ReleaseId) =>
    fixture.node({ release, stores, policy, settings: { showLocations: true } }).images;
  const zed = node("zed");
  const { id } = await zed.create(alice, formats);
  const url = (await stores[0]?.store.put("blob", Readable.from([data]), { signal: never }))?.url ?? assert.fail();
  const operations = [add(url)];
  const property: PatchOperation = { op: "add", path: ["k"], value: "v" };
  const refused = withCode("images.forbidden");
  const update = (images: typeof zed, ...changes: PatchOperation[]) =>
    images.update(alice, id, { operations: changes, addRefusesExisting: false });
  await assert.rejects(update(node("wallaby"), ...operations), refused);
  await assert.rejects(update(zed, property), refused);
  await assert.rejects(update(zed, ...operations, property), refused);
  assert.equal((await update(zed, ...operations)).status, "active");
});

test("locations: a stranger's change is refused as their own would be, and for being a stranger's before anything is fetched", async () => {
  const { images, place, id } = await ready({ release: "zed" });
  const there = await place(0, "blob");
  const { id: bare } = await images.create(alice, {});
  for (const imageId of [id, bare])
    await images.update(alice, imageId, {
      operations: [{ op: "replace", path: ["visibility"], value: "community" }],
      addRefusesExisting: false,
    });
  const byBob = (imageId: string, operation: PatchOperation) =>
    images.update(bob, imageId, { operations: [operation], addRefusesExisting: false });
  await assert.rejects(byBob(bare, add(there)), withCode("images.invalid"));
  await assert.rejects(byBob(id, { op: "remove", path: ["locations", "0"] }), withCode("images.forbidden"));
  for (const url of [there, there.replace("blob", "nothing")])
    await assert.rejects(byBob(id, add(url)), withCode("images.forbidden"));
  assert.deepEqual((await images.show(alice, id)).locations, []);
});
