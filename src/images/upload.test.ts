import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { test } from "node:test";
import { ServiceError } from "../core/errors.ts";
import { MemoryStore } from "../stores/memory/memory-store.ts";
import type { ImageServices } from "./services.ts";
import {
  admin,
  alice,
  Fixture,
  formats,
  Life,
  leaseSeconds,
  never,
  read,
  send,
  settled,
  withCode,
} from "./testing/fixture.ts";

const unreachable = new ServiceError("db.unreachable", "No connection to the database.");

async function queued(services: ImageServices): Promise<string> {
  return (await services.images.create(alice, formats)).id;
}

/** A client that sends what it is told to, when it is told to. */
function client() {
  const source = new Readable({ read() {} });
  return { source, write: (bytes: number) => source.push(randomBytes(bytes)), end: () => source.push(null) };
}

/** What every failed upload leaves: nothing. */
async function assertUntouched(fixture: Fixture, imageId: string): Promise<void> {
  const image = fixture.database.live(imageId);
  assert.deepEqual([image?.status, image?.sizeBytes, image?.checksum], ["queued", null, null]);
  assert.deepEqual([fixture.store.keys, [...fixture.database.leases.keys()]], [[], []]);
  assert.deepEqual(fixture.transfers.snapshot(), []);
}

test("upload: size, checksum and location stand when it resolves, and the same bytes come back", async () => {
  const fixture = new Fixture();
  const services = fixture.node();
  const imageId = await queued(services);
  const data = randomBytes(3_000_000);
  await send(services, alice, imageId, data);
  const image = await services.images.show(alice, imageId);
  assert.deepEqual([image.status, image.sizeBytes, image.virtualSizeBytes], ["active", data.length, null]);
  assert.equal(image.checksum, createHash("md5").update(data).digest("hex"));
  assert.deepEqual(image.locations, [{ url: fixture.store.locationFor(imageId), metadata: {}, status: "active" }]);
  assert((await read(services, alice, imageId)).equals(data));
  assert.deepEqual([fixture.database.leases.size, fixture.transfers.snapshot(), fixture.clock.sleepers], [0, [], 0]);
});

test("upload: an empty body is an image of no bytes", async () => {
  const services = new Fixture().node();
  const imageId = await queued(services);
  await send(services, alice, imageId, Buffer.alloc(0));
  const image = await services.images.show(alice, imageId);
  assert.deepEqual([image.status, image.sizeBytes, image.checksum], ["active", 0, "d41d8cd98f00b204e9800998ecf8427e"]);
  assert.equal((await read(services, alice, imageId)).length, 0);
});

test("upload: only a queued image with both formats takes data", async () => {
  const fixture = new Fixture();
  const services = fixture.node();
  const { id: bare } = await services.images.create(alice, { container_format: "bare" });
  await assert.rejects(send(services, alice, bare, Buffer.from("x")), withCode("images.invalid"));
  const imageId = await queued(services);
  await send(services, alice, imageId, Buffer.from("first"));
  await assert.rejects(send(services, alice, imageId, Buffer.from("second")), withCode("images.status_conflict"));
  await services.images.deactivate(alice, imageId);
  await assert.rejects(send(services, alice, imageId, Buffer.from("third")), withCode("images.status_conflict"));
  assert.equal((await read(services, admin, imageId)).toString(), "first");
});

test("upload: of two at once one wins and the other is a conflict", async () => {
  const fixture = new Fixture();
  const [one, other] = [fixture.node(), fixture.node()];
  const imageId = await queued(one);
  const data = [randomBytes(100_000), randomBytes(100_000)] as const;
  const results = await Promise.allSettled([send(one, alice, imageId, data[0]), send(other, alice, imageId, data[1])]);
  assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  const winner = data[results[0].status === "fulfilled" ? 0 : 1];
  assert((await read(one, alice, imageId)).equals(winner));
});

test("upload: too large is refused before a byte is read where it was announced, else at the first byte too many", async () => {
  const fixture = new Fixture();
  const services = fixture.node({ settings: { imageBytesMax: 1_000 } });
  const imageId = await queued(services);
  await assert.rejects(send(services, alice, imageId, Buffer.alloc(1_001)), withCode("images.over_limit"));
  const { source, write } = client();
  const upload = services.data.upload(alice, imageId, source, { signal: never, announcedBytes: null });
  write(1_000);
  write(1);
  await assert.rejects(upload, withCode("images.over_limit"));
  assert(!source.destroyed, "the API still has to answer on this connection");
  await assertUntouched(fixture, imageId);
  await send(services, alice, imageId, Buffer.alloc(1_000));
});

test("upload: the project's storage quota counts what it stores already", async () => {
  const fixture = new Fixture();
  const services = fixture.node({ settings: { projectBytesMax: 1_000 } });
  await send(services, alice, await queued(services), Buffer.alloc(600));
  const imageId = await queued(services);
  await assert.rejects(send(services, alice, imageId, Buffer.alloc(401)), withCode("images.over_limit"));
  const source = Readable.from([Buffer.alloc(401)]);
  await assert.rejects(
    services.data.upload(alice, imageId, source, { signal: never, announcedBytes: null }),
    withCode("images.over_limit"),
  );
  assert.deepEqual([fixture.database.live(imageId)?.status, fixture.store.keys.length], ["queued", 1]);
  await send(services, alice, imageId, Buffer.alloc(400));
});

test("upload: other than what was announced is refused", async () => {
  const fixture = new Fixture();
  const services = fixture.node();
  const imageId = await queued(services);
  for (const announcedBytes of [99, 101]) {
    const source = Readable.from([Buffer.alloc(100)]);
    await assert.rejects(
      services.data.upload(alice, imageId, source, { signal: never, announcedBytes }),
      withCode("images.invalid"),
    );
    await assertUntouched(fixture, imageId);
  }
});

test("upload: a client that vanishes, and a node that cuts, leave the image queued and no data", async () => {
  const fixture = new Fixture();
  const services = fixture.node();
  const imageId = await queued(services);

  const vanishing = client();
  const upload = services.data.upload(alice, imageId, vanishing.source, { signal: never, announcedBytes: 1_000_000 });
  vanishing.write(500_000);
  await settled();
  assert.deepEqual(
    fixture.transfers.snapshot().map(({ kind, bytesDone, bytesTotal }) => [kind, bytesDone, bytesTotal]),
    [["upload", 500_000, 1_000_000]],
  );
  vanishing.source.destroy();
  await assert.rejects(upload, withCode("api.client_gone"));
  await assertUntouched(fixture, imageId);

  const stop = new AbortController();
  const cut = client();
  const other = services.data.upload(alice, imageId, cut.source, { signal: stop.signal, announcedBytes: null });
  cut.write(500_000);
  await settled();
  stop.abort();
  await assert.rejects(other, withCode("api.client_gone"));
  await assertUntouched(fixture, imageId);
  await send(services, alice, imageId, Buffer.from("again"));
});

test("upload: a full store is said to be full", async () => {
  const fixture = new Fixture();
  const services = fixture.node({ store: new MemoryStore({ bytesMax: 1_000 }) });
  const imageId = await queued(services);
  await assert.rejects(send(services, alice, imageId, Buffer.alloc(1_001)), withCode("stores.full"));
  await assertUntouched(fixture, imageId);
});

test("upload: complete data that another put there is not removed", async () => {
  const fixture = new Fixture();
  const services = fixture.node();
  const imageId = await queued(services);
  await fixture.store.put(imageId, Readable.from([Buffer.from("foreign")]), { signal: never });
  await assert.rejects(send(services, alice, imageId, Buffer.from("ours")), withCode("stores.blob_exists"));
  assert.deepEqual([fixture.store.keys, fixture.database.live(imageId)?.status], [[imageId], "queued"]);
});

test("upload: an image deleted under it ends in gone, and the data goes too", async () => {
  const fixture = new Fixture();
  const [uploading, deleting] = [fixture.node(), fixture.node()];
  for (const notice of ["at the next renewal", "at the end"]) {
    const imageId = await queued(uploading);
    const { source, write, end } = client();
    const upload = uploading.data.upload(alice, imageId, source, { signal: never, announcedBytes: null });
    const gone = assert.rejects(upload, withCode("images.gone"), notice);
    write(2_000_000);
    await settled();
    await deleting.images.remove(alice, imageId);
    assert.equal(fixture.database.leases.size, 1, "the lease stays with the writer");
    if (notice === "at the end") end();
    else await fixture.clock.advance((leaseSeconds * 1_000) / 3);
    await gone;
    assert.deepEqual([fixture.store.keys, fixture.database.leases.size], [[], 0]);
  }
});

test("upload: its lease is renewed for as long as it takes", async () => {
  const fixture = new Fixture();
  const [uploading, reaping] = [fixture.node(), fixture.node()];
  const imageId = await queued(uploading);
  const { source, write, end } = client();
  const upload = uploading.data.upload(alice, imageId, source, { signal: never, announcedBytes: null });
  for (let minute = 0; minute < 10; minute++) {
    write(1_000);
    for (let third = 0; third < 3; third++) await fixture.clock.advance((leaseSeconds * 1_000) / 3);
    assert.equal(await reaping.reaper.reclaimExpiredUploads(), 0);
  }
  end();
  await upload;
  assert.equal((await read(uploading, alice, imageId)).length, 10_000);
});

test("upload: a database that is silent for longer than the lease does not cost the upload", async () => {
  const fixture = new Fixture();
  const [uploading, reaping] = [fixture.node(), fixture.node()];
  const imageId = await queued(uploading);
  const { source, write, end } = client();
  const upload = uploading.data.upload(alice, imageId, source, { signal: never, announcedBytes: null });
  write(1_000);
  await settled();
  for (const method of ["uploads.renew", "uploads.reclaim"]) fixture.database.faults.set(method, unreachable);
  for (let second = 0; second < leaseSeconds * 2; second++) await fixture.clock.advance(1_000);
  assert.equal(await reaping.reaper.reclaimExpiredUploads(), 0);
  fixture.database.faults.clear();
  assert.equal(await reaping.reaper.reclaimExpiredUploads(), 0, "after an outage uploads come first");
  await fixture.clock.advance(1_000);
  end();
  await upload;
  assert.equal((await uploading.images.show(alice, imageId)).status, "active");
});

test("upload: one whose lease was taken over stops, and touches nothing of the next one", async () => {
  const fixture = new Fixture();
  const [stalled, other] = [fixture.node(), fixture.node()];
  const imageId = await queued(stalled);
  const { source, write, end } = client();
  const upload = stalled.data.upload(alice, imageId, source, { signal: never, announcedBytes: null });
  const gone = assert.rejects(upload, withCode("images.gone"));
  write(1_000);
  await settled();
  // A process that was stopped: time passed, its timers did not run.
  const lease = fixture.database.leases.get(imageId);
  assert(lease);
  fixture.database.leases.set(imageId, { ...lease, expiresMs: fixture.clock.nowMs() - 1 });
  assert.equal(await other.reaper.reclaimExpiredUploads(), 1);
  await send(other, alice, imageId, Buffer.from("the next one"));
  write(1_000);
  end();
  await gone;
  assert.equal((await read(other, alice, imageId)).toString(), "the next one");
});

test("upload: a process that stood still while another took over and succeeded removes nothing when it wakes", async () => {
  for (const stalledAt of ["in the middle", "in the middle, its client gone by then", "before the last commit"]) {
    const fixture = new Fixture();
    const life = new Life();
    const [stalled, other] = [fixture.node({ life }), fixture.node()];
    const imageId = await queued(stalled);
    const { source, write, end } = client();
    const upload = stalled.data.upload(alice, imageId, source, { signal: never, announcedBytes: null });
    const failed = assert.rejects(upload, withCode("images.gone"), stalledAt);
    write(1_000);
    await settled();
    life.stall();
    if (stalledAt === "before the last commit") end();
    await settled();
    assert.equal(fixture.store.keys.length, stalledAt === "before the last commit" ? 1 : 0);
    await fixture.clock.advance(leaseSeconds * 1_000 + 1);
    assert.equal(await other.reaper.reclaimExpiredUploads(), 1);
    assert.deepEqual([fixture.database.live(imageId)?.status, fixture.store.keys], ["queued", []]);
    await send(other, alice, imageId, Buffer.from("the next one"));
    life.resume();
    if (stalledAt === "in the middle") end();
    else source.destroy();
    await failed;
    await settled();
    assert.equal((await read(other, alice, imageId)).toString(), "the next one", stalledAt);
  }
});

test("upload: a lost reply to the last commit is not a failed upload", async () => {
  const fixture = new Fixture();
  const services = fixture.node();
  const imageId = await queued(services);
  fixture.database.faults.set("uploads.finish!", unreachable);
  const upload = send(services, alice, imageId, Buffer.from("data"));
  await settled();
  fixture.database.faults.clear();
  await fixture.clock.advance(1_000);
  await upload;
  assert.equal((await read(services, alice, imageId)).toString(), "data");
});

test("upload: a database that is gone at the last commit loses nothing it may have done", async () => {
  for (const fault of ["uploads.finish", "uploads.finish!"]) {
    const fixture = new Fixture();
    const services = fixture.node();
    const imageId = await queued(services);
    const failed = assert.rejects(send(services, alice, imageId, Buffer.from("data")), withCode("db.unreachable"));
    for (const method of [fault, "uploads.renew", "images.find"]) fixture.database.faults.set(method, unreachable);
    fixture.database.faults.delete("images.find");
    for (let attempt = 0; attempt < 5; attempt++) {
      await settled();
      // After a lost reply the next try finds the lease gone and asks for the image, which fails too.
      fixture.database.faults.set("images.find", unreachable);
      await fixture.clock.advance(1_000);
    }
    await failed;
    fixture.database.faults.clear();
    await fixture.clock.advance(leaseSeconds * 1_000 + 1);
    await services.reaper.reclaimExpiredUploads();
    if (fault === "uploads.finish") await assertUntouched(fixture, imageId);
    else assert.equal((await read(services, alice, imageId)).toString(), "data");
  }
});

test("upload: the thread that hashes is let go whatever becomes of an upload", async () => {
  const fixture = new Fixture();
  const services = fixture.node();
  const taken = await queued(services);
  await fixture.store.put(taken, Readable.from([Buffer.from("foreign")]), { signal: never });
  await assert.rejects(send(services, alice, taken, randomBytes(2_000_000)), withCode("stores.blob_exists"));
  const cut = client();
  const upload = services.data.upload(alice, await queued(services), cut.source, {
    signal: never,
    announcedBytes: null,
  });
  for (let n = 0; n < 10; n++) cut.write(300_000);
  await settled();
  cut.source.destroy();
  await assert.rejects(upload, withCode("api.client_gone"));
  // Otherwise this file would never end: an open stream keeps the process alive.
});
