// Uploads that can be continued, over a database and a store in memory and parts in a folder: whoever dies or leaves, whoever goes on.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { PassThrough, Readable } from "node:stream";
import { after, test } from "node:test";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import type { ImageServices } from "../services.ts";
import {
  alice,
  bob,
  Fixture,
  formats,
  Life,
  leaseSeconds,
  type NodeOptions,
  never,
  read,
  settled,
  withCode,
} from "../testing/fixture.ts";
import { memoryUploads } from "../testing/memory-repositories.ts";

const seconds = 3_600;
const fixtures: Fixture[] = [];
after(() => Promise.all(fixtures.map(({ partsFolder }) => rm(partsFolder, { recursive: true, force: true }))));

function setUp() {
  const fixture = new Fixture();
  fixtures.push(fixture);
  const node = (options: NodeOptions = {}) =>
    fixture.node({ release: "2026.1", ...options, settings: { resumableSeconds: seconds, ...options.settings } });
  return { fixture, node };
}

const of = (data: Buffer) => Readable.from(data.length === 0 ? [] : [data]);
const usual = { signal: never, announcedBytes: null, totalBytes: null };

/** Begins with `data`, and leaves. */
async function begin(services: ImageServices, imageId: string, data: Buffer): Promise<void> {
  const progress = await services.resumable.begin(alice, imageId, of(data), { ...usual, last: false });
  assert.deepEqual(progress, { offsetBytes: data.length, complete: false });
}

const goOn = (services: ImageServices, imageId: string, offsetBytes: number, data: Buffer, last = true) =>
  services.resumable.append(alice, imageId, of(data), { ...usual, offsetBytes, last });

/** Until so much of an upload is stored. */
async function arrived(services: ImageServices, imageId: string, bytes: number): Promise<void> {
  const offset = () => services.resumable.progress(alice, imageId).catch(() => undefined);
  while (((await offset())?.offsetBytes ?? 0) < bytes) await settled();
}

const refusedAs = (code: "images.offset_mismatch", uploadOffset: number) => (error: unknown) =>
  isServiceError(error, code) && error.facts.uploadOffset === uploadOffset;

test("resumable: what several nodes took in is one image, hashed and measured as a whole", async () => {
  const { fixture, node } = setUp();
  const data = randomBytes(900_000);
  const { id } = await node().images.create(alice, formats);
  await begin(node(), id, data.subarray(0, 300_000));
  assert.equal(fixture.database.live(id)?.status, "saving");
  assert.deepEqual(await node().resumable.progress(alice, id), { offsetBytes: 300_000, complete: false });
  await goOn(node(), id, 300_000, data.subarray(300_000, 700_000), false);
  const end = await goOn(node(), id, 700_000, data.subarray(700_000));
  assert.deepEqual(end, { offsetBytes: 900_000, complete: true });
  const image = fixture.database.live(id);
  assert.equal(image?.checksum, createHash("md5").update(data).digest("hex"));
  assert.equal(image?.hashValue, createHash("sha512").update(data).digest("hex"));
  assert.deepEqual([image?.status, image?.sizeBytes], ["active", 900_000]);
  assert((await read(node(), alice, id)).equals(data));
  assert.deepEqual([await fixture.parts.list(), fixture.database.leases.size], [[], 0]);
  assert.deepEqual(await node().resumable.progress(alice, id), { offsetBytes: 900_000, complete: true });
});

test("resumable: an image of one request, and one of no bytes, need no second", async () => {
  const { fixture, node } = setUp();
  for (const data of [randomBytes(1_000), Buffer.alloc(0)]) {
    const { id } = await node().images.create(alice, formats);
    const options = { ...usual, announcedBytes: data.length, last: true };
    await node().resumable.begin(alice, id, of(data), options);
    assert.deepEqual(
      [fixture.database.live(id)?.status, fixture.database.live(id)?.sizeBytes],
      ["active", data.length],
    );
  }
  assert.deepEqual(await fixture.parts.list(), []);
});

test("resumable: a client that leaves loses nothing of what arrived", async () => {
  const { node } = setUp();
  const data = randomBytes(500_000);
  const { id } = await node().images.create(alice, formats);
  const source = new PassThrough();
  const broken = node().resumable.begin(alice, id, source, { ...usual, announcedBytes: data.length, last: true });
  source.write(data.subarray(0, 200_000));
  await arrived(node(), id, 200_000);
  source.destroy(new Error("connection lost"));
  await assert.rejects(broken, withCode("api.client_gone"));
  const { offsetBytes } = await node().resumable.progress(alice, id);
  assert.equal(offsetBytes, 200_000);
  await goOn(node(), id, offsetBytes, data.subarray(offsetBytes));
  assert((await read(node(), alice, id)).equals(data));
});

test("resumable: a node that dies is replaced at once; one that only stood still is fenced, and what it writes does not count", async () => {
  const { fixture, node } = setUp();
  const data = randomBytes(400_000);
  const { id } = await node().images.create(alice, formats);
  const life = new Life();
  const frozen = new PassThrough();
  const late = node({ life }).resumable.begin(alice, id, frozen, { ...usual, last: true });
  frozen.write(data.subarray(0, 100_000));
  await arrived(node(), id, 100_000);
  life.stall();
  // Fences the first, and is told where to go on.
  await assert.rejects(goOn(node(), id, 7, data, false), refusedAs("images.offset_mismatch", 100_000));
  frozen.write(randomBytes(50_000));
  await settled();
  assert.deepEqual(await node().resumable.progress(alice, id), { offsetBytes: 100_000, complete: false });
  await goOn(node(), id, 100_000, data.subarray(100_000, 150_000), false);
  life.resume();
  frozen.end(randomBytes(10));
  await assert.rejects(late, withCode("images.gone"));
  await goOn(node(), id, 150_000, data.subarray(150_000));
  assert((await read(node(), alice, id)).equals(data));
  assert.equal(fixture.database.leases.size, 0);
});

test("resumable: of two who go on at once, at most one does, and no byte is there twice", async () => {
  const { node } = setUp();
  const { id } = await node().images.create(alice, formats);
  await begin(node(), id, Buffer.from("abc"));
  const rest = Buffer.from("def");
  const both = await Promise.allSettled([goOn(node(), id, 3, rest), goOn(node(), id, 3, rest)]);
  assert(both.filter(({ status }) => status === "fulfilled").length <= 1);
  // Each may have fenced the other after its bytes had come.
  const { offsetBytes, complete } = await node().resumable.progress(alice, id);
  if (!complete) await goOn(node(), id, offsetBytes, rest.subarray(offsetBytes - 3));
  assert.equal((await read(node(), alice, id)).toString(), "abcdef");
});

test("resumable: an upload nobody goes on with is given up in time, by nodes that know nothing of it too", async () => {
  for (const successor of ["new", "off", "older package"] as const) {
    const { fixture, node } = setUp();
    const { id } = await node().images.create(alice, formats);
    await begin(node(), id, Buffer.from("abc"));
    await fixture.clock.advance(leaseSeconds * 1_000 * 2);
    const off = node({ settings: { resumableSeconds: null } });
    assert.equal(await off.reaper.reclaimExpiredUploads(), 0, "not as soon as a plain upload");
    await assert.rejects(off.data.upload(alice, id, of(Buffer.from("x")), usual), withCode("images.status_conflict"));
    await fixture.clock.advance(seconds * 1_000 + 1);
    if (successor === "older package") {
      const uploads = memoryUploads(fixture.database);
      // What such a package does: no store owns the lines it does not know.
      for (const lease of await uploads.reclaim("older", { leaseSeconds, rowsMax: 50 })) await uploads.abandon(lease);
      assert.deepEqual(await fixture.parts.list(), [id], "its data stays");
    } else assert.equal(await (successor === "off" ? off : node()).reaper.reclaimExpiredUploads(), 1);
    assert.equal(fixture.database.live(id)?.status, "queued");
    await node().reaper.reclaimExpiredUploads();
    assert.deepEqual(await fixture.parts.list(), []);
    await assert.rejects(goOn(node(), id, 3, Buffer.from("def")), withCode("images.no_upload"));
    await off.data.upload(alice, id, of(Buffer.from("x")), usual);
  }
});

test("resumable: a node that dies, or a store that fails, while all data is being stored, costs nothing but time", async () => {
  for (const fault of ["death", "store"] as const) {
    const { fixture, node } = setUp();
    const data = randomBytes(100_000);
    const { id } = await node().images.create(alice, formats);
    await begin(node(), id, data);
    const life = new Life();
    const reached = Promise.withResolvers<void>();
    const store = new Proxy(fixture.store, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target);
        if (name === "put")
          return async () => {
            if (fault === "store") throw new ServiceError("stores.unavailable", "The share is gone.");
            life.dead = true;
            reached.resolve();
          };
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
    const work = goOn(node({ life, store }), id, data.length, Buffer.alloc(0));
    if (fault === "store") await assert.rejects(work, withCode("stores.unavailable"));
    else {
      await reached.promise;
      await assert.rejects(goOn(node(), id, data.length, Buffer.alloc(0)), withCode("images.status_conflict"));
      await fixture.clock.advance(leaseSeconds * 1_000 + 1);
      assert.equal(await node().reaper.reclaimExpiredUploads(), 0, "nothing was given up");
      await fixture.clock.advance(leaseSeconds * 1_000 + 1);
    }
    assert.equal(fixture.database.live(id)?.status, "saving");
    await goOn(node(), id, data.length, Buffer.alloc(0));
    assert((await read(node(), alice, id)).equals(data));
    assert.deepEqual(await fixture.parts.list(), []);
  }
});

test("resumable: limits, formats and hashes are those of a plain upload; what is refused leaves a queued image and no data", async () => {
  const { fixture, node } = setUp();
  const small = node({ settings: { imageBytesMax: 1_000 } });
  const { id } = await small.images.create(alice, formats);
  const announced = { ...usual, totalBytes: 1_001, last: false };
  await assert.rejects(small.resumable.begin(alice, id, of(Buffer.alloc(1)), announced), withCode("images.over_limit"));
  await begin(small, id, Buffer.alloc(600));
  await assert.rejects(goOn(small, id, 600, Buffer.alloc(401), false), withCode("images.over_limit"));
  const vmdk = await small.images.create(alice, { disk_format: "qcow2", container_format: "bare" });
  await begin(small, vmdk.id, Buffer.alloc(600, "no qcow2"));
  await assert.rejects(goOn(small, vmdk.id, 600, Buffer.alloc(100)), withCode("images.unfit_data"));
  for (const imageId of [id, vmdk.id]) assert.equal(fixture.database.live(imageId)?.status, "queued");
  assert.deepEqual([await fixture.parts.list(), fixture.store.keys, fixture.database.leases.size], [[], [], 0]);
});

test("resumable: a length that is not the one announced is refused, and the upload goes on", async () => {
  const { node } = setUp();
  const { id } = await node().images.create(alice, formats);
  await begin(node(), id, Buffer.from("abc"));
  const wrong = { ...usual, totalBytes: 9, offsetBytes: 3, last: true };
  await assert.rejects(node().resumable.append(alice, id, of(Buffer.from("def")), wrong), withCode("images.invalid"));
  await goOn(node(), id, 6, Buffer.from("ghi"));
  assert.equal((await read(node(), alice, id)).toString(), "abcdefghi");
});

test("resumable: a node that does not see the parts says so and changes nothing", async () => {
  const { node } = setUp();
  const { id } = await node().images.create(alice, formats);
  await begin(node(), id, Buffer.from("abc"));
  const apart = node({ parts: new Fixture().parts });
  await assert.rejects(apart.resumable.progress(alice, id), withCode("images.not_staged_here"));
  await assert.rejects(goOn(apart, id, 3, Buffer.from("def")), withCode("images.not_staged_here"));
  await goOn(node(), id, 3, Buffer.from("def"));
});

test("resumable: only who may upload sees, continues or cancels it; cancelling and deleting remove what arrived", async () => {
  const { fixture, node } = setUp();
  const { id } = await node().images.create(alice, formats);
  await assert.rejects(node().resumable.progress(alice, id), withCode("images.no_upload"));
  await begin(node(), id, Buffer.from("abc"));
  const another = { ...usual, offsetBytes: 3, last: true };
  await assert.rejects(node().resumable.append(bob, id, of(Buffer.from("x")), another), withCode("images.not_found"));
  await assert.rejects(node().resumable.cancel(bob, id), withCode("images.not_found"));
  await node().resumable.cancel(alice, id);
  assert.deepEqual([fixture.database.live(id)?.status, await fixture.parts.list()], ["queued", []]);
  await assert.rejects(node().resumable.cancel(alice, id), withCode("images.no_upload"));
  await begin(node(), id, Buffer.from("abc"));
  await node().images.remove(alice, id);
  assert.deepEqual([await fixture.parts.list(), fixture.database.leases.size], [[], 0]);
});

test("resumable: where it cannot be known whether an upload began, it did not", async () => {
  const { fixture, node } = setUp();
  const { id } = await node().images.create(alice, formats);
  fixture.database.faults.set("uploads.begin!", new ServiceError("db.unreachable", "The connection was lost."));
  const options = { ...usual, last: false };
  await assert.rejects(node().resumable.begin(alice, id, of(Buffer.from("x")), options), withCode("db.unreachable"));
  fixture.database.faults.clear();
  assert.equal(fixture.database.live(id)?.status, "queued");
});
