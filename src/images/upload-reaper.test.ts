import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { ServiceError } from "../core/errors.ts";
import { alice, Fixture, formats, Life, leaseSeconds, never, send, settled } from "./testing/fixture.ts";

const expire = (fixture: Fixture) => fixture.clock.advance(leaseSeconds * 1_000 + 1);

test("reaper: an upload whose process died leaves a queued image, and exactly one of many reapers cleans up", async () => {
  const fixture = new Fixture();
  const life = new Life();
  const [dying, ...others] = [fixture.node({ life }), fixture.node(), fixture.node(), fixture.node()];
  const { id: imageId } = await dying.images.create(alice, formats);
  const source = new Readable({ read() {} });
  void dying.data.upload(alice, imageId, source, { signal: never, announcedBytes: null });
  source.push(Buffer.alloc(1_000));
  await settled();
  life.dead = true;
  assert.equal(fixture.database.live(imageId)?.status, "saving");
  assert.equal(await others[0]?.reaper.reclaimExpiredUploads(), 0, "not before the lease has expired");
  await expire(fixture);
  const cleaned = await Promise.all(others.map(({ reaper }) => reaper.reclaimExpiredUploads()));
  assert.deepEqual(cleaned.sort(), [0, 0, 1]);
  assert.deepEqual([fixture.database.live(imageId)?.status, fixture.store.keys], ["queued", []]);
  await send(others[0] ?? dying, alice, imageId, Buffer.from("again"));
});

test("reaper: a deletion whose process died after the row was gone still removes the data", async () => {
  const fixture = new Fixture();
  const life = new Life();
  const [dying, other] = [fixture.node({ life }), fixture.node()];
  const { id: imageId } = await other.images.create(alice, formats);
  await send(other, alice, imageId, Buffer.from("data"));
  fixture.database.faults.set("images.remove!", new Error("never answered"));
  await assert.rejects(dying.images.remove(alice, imageId));
  life.dead = true;
  fixture.database.faults.clear();
  assert.deepEqual([fixture.database.live(imageId), fixture.store.keys], [undefined, [imageId]]);
  await expire(fixture);
  assert.equal(await other.reaper.reclaimExpiredUploads(), 1);
  assert.deepEqual([fixture.store.keys, fixture.database.leases.size], [[], 0]);
});

test("reaper: what the store cannot remove now is tried again, what is not the store's to remove is let go", async () => {
  const fixture = new Fixture();
  let failing = true;
  const store = new Proxy(fixture.store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (name === "remove")
        return async (url: string) => {
          if (failing) throw new ServiceError("stores.unavailable", "The share is gone.");
          return target.remove(url);
        };
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const services = fixture.node({ store });
  const { id: imageId } = await services.images.create(alice, formats);
  await send(services, alice, imageId, Buffer.from("data"));
  const row = fixture.database.live(imageId);
  const foreign = ["http://example.org/x", "memory:elsewhere"].map((url) => ({ url, metadata: {}, status: "active" }));
  fixture.database.write(imageId, { locations: [...foreign, ...(row?.locations ?? [])] });
  await services.images.remove(alice, imageId);
  assert.equal(fixture.store.keys.length, 1, "deleting succeeds although the data has to wait");
  await expire(fixture);
  assert.equal(await services.reaper.reclaimExpiredUploads(), 0);
  failing = false;
  await expire(fixture);
  assert.equal(await services.reaper.reclaimExpiredUploads(), 1);
  assert.deepEqual([fixture.store.keys, fixture.database.leases.size], [[], 0]);
});

test("reaper: a database that does not answer is waited for, without an error", async () => {
  const fixture = new Fixture();
  const { reaper } = fixture.node();
  fixture.database.faults.set("uploads.reclaim", new ServiceError("db.unreachable", "No connection."));
  assert.equal(await reaper.reclaimExpiredUploads(), 0);
});
