// Data that its store keeps: what a deletion then leaves, and what it answers.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { ServiceError } from "../core/errors.ts";
import {
  admin,
  alice,
  Fixture,
  formats,
  keepingStore,
  leaseSeconds,
  namedStores,
  never,
  read,
  send,
  withCode,
} from "./testing/fixture.ts";

const data = Buffer.from("some data");
const inUse = () => new ServiceError("stores.in_use", "The data is in use.");
const forbids = () => new ServiceError("stores.read_only", "The account may not do that.");

test("removal: while the store says that the data is in use, or forbids it, the image stays as it was, and goes later", async () => {
  for (const [refusal, code] of [
    [inUse, "stores.in_use"],
    [forbids, "images.forbidden"],
  ] as const) {
    const fixture = new Fixture();
    let keeps = true;
    const services = fixture.node({ store: keepingStore(fixture.store, () => (keeps ? refusal() : null)) });
    const { id } = await services.images.create(alice, { ...formats, tags: ["one"], note: "kept" });
    await send(services, alice, id, data);
    const before = fixture.database.live(id);
    await assert.rejects(services.images.remove(alice, id), withCode(code));
    assert.deepEqual(fixture.database.live(id), before);
    assert.deepEqual([await read(services, alice, id), fixture.database.leases.size], [data, 0]);
    keeps = false;
    await services.images.remove(alice, id);
    assert.deepEqual([fixture.database.live(id), fixture.store.keys], [undefined, []]);
  }
});

test("removal: a store that does not answer keeps no image; its data goes later", async () => {
  const fixture = new Fixture();
  let away = true;
  const store = keepingStore(fixture.store, () => (away ? new ServiceError("stores.unavailable", "Away.") : null));
  const services = fixture.node({ store });
  const { id } = await services.images.create(alice, formats);
  await send(services, alice, id, data);
  await services.images.remove(alice, id);
  assert.deepEqual([fixture.database.live(id), fixture.store.keys], [undefined, [id]]);
  away = false;
  await fixture.clock.advance(leaseSeconds * 1_000 + 1);
  assert.equal(await services.reaper.reclaimExpiredUploads(), 1);
  assert.deepEqual(fixture.store.keys, []);
});

test("removal: who lost the lease meanwhile takes nothing back and removes nothing", async () => {
  const fixture = new Fixture();
  const other = fixture.node();
  const store = keepingStore(fixture.store, () => {
    const lease = fixture.database.leases.get(id) ?? assert.fail("no lease");
    fixture.database.leases.set(id, { ...lease, leaseId: "somebody else" });
    return inUse();
  });
  const services = fixture.node({ store });
  const { id } = await other.images.create(alice, formats);
  await send(other, alice, id, data);
  await services.images.remove(alice, id);
  assert.equal(fixture.database.live(id), undefined);
  assert.deepEqual([fixture.store.keys, fixture.database.leases.get(id)?.leaseId], [[id], "somebody else"]);
});

test("removal: of an image in several stores what is left stays; one store alone keeps its copy", async () => {
  const [fast, cheap] = namedStores(["fast", "cheap"]);
  assert(fast && cheap);
  const stores = [fast, { ...cheap, store: keepingStore(cheap.store, inUse) }];
  const fixture = new Fixture();
  const services = fixture.node({ release: "2026.1", stores });
  const { id } = await services.images.create(alice, formats);
  await send(services, alice, id, data);
  await cheap.store.put(id, Readable.from([data]), { signal: never });
  const copy = { url: cheap.store.locationFor(id), metadata: { store: "cheap" }, status: "active" };
  fixture.database.write(id, { locations: [...(fixture.database.live(id)?.locations ?? []), copy] });
  const held = () => fixture.database.live(id)?.locations.map(({ metadata }) => metadata.store);
  await assert.rejects(services.stores.removeImage(admin, "cheap", id), withCode("stores.in_use"));
  assert.deepEqual(held(), ["fast", "cheap"]);
  await assert.rejects(services.images.remove(alice, id), withCode("stores.in_use"));
  assert.deepEqual(held(), ["cheap"], "the data in the other one is gone");
  assert.deepEqual(await read(services, alice, id), data);
});
