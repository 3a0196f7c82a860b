// Copies of images on a node's disk: whole or not at all, one filler at a time, and room made by what was not read for longest.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { CacheableImage } from "../images/ports.ts";
import type { FileCache } from "./file-cache.ts";
import { testOnIndexes } from "./testing/indexes.ts";
import { imageOf } from "./testing/test-cache.ts";

const never = new AbortController().signal;
const open = (cache: FileCache, image: CacheableImage) => cache.open(image, { signal: never });

async function add(cache: FileCache, image: CacheableImage, data: Buffer): Promise<boolean> {
  const fill = await cache.fill(image);
  assert(fill, "nobody else fills it, and there is room");
  for (let at = 0; at < data.length; at += 300_000) await fill.add(data.subarray(at, at + 300_000));
  fill.end();
  const whole = await fill.done;
  await cache.idle();
  return whole;
}

testOnIndexes("cache: what a download has filled is read from the disk, byte for byte, and counted", async (place) => {
  const cache = await place.open();
  const data = randomBytes(3_000_000);
  const image = imageOf(data);
  assert.equal(await open(cache, image), undefined);
  assert.equal(await add(cache, image, data), true);
  const copy = await open(cache, image);
  assert(copy);
  assert.deepEqual(await buffer(copy), data);
  await cache.idle();
  const [row] = await cache.list();
  assert.deepEqual([row?.imageId, row?.sizeBytes, row?.hits], [image.id, data.length, 1]);
  assert.deepEqual(await readdir(join(place.directory, "incomplete")), []);
});

testOnIndexes("cache: the chunk of a download may be written over as soon as it was added", async (place) => {
  const cache = await place.open();
  const data = randomBytes(2_000_000);
  const image = imageOf(data);
  const fill = await cache.fill(image);
  assert(fill);
  const piece = Buffer.alloc(250_000);
  for (let at = 0; at < data.length; at += piece.length) {
    data.copy(piece, 0, at);
    await fill.add(piece);
    piece.fill(0);
  }
  fill.end();
  assert.equal(await fill.done, true);
});

testOnIndexes(
  "cache: data that is not the image's never becomes a copy, be it wrong, short, or broken off",
  async (place) => {
    const cache = await place.open();
    const data = randomBytes(1_000_000);
    const image = imageOf(data);
    const wrong = Buffer.from(data);
    wrong[500_000] = (wrong[500_000] ?? 0) ^ 1;
    assert.equal(await add(cache, image, wrong), false);
    assert.equal(await add(cache, image, data.subarray(0, 999_999)), false);
    const left = await cache.fill(image);
    await left?.add(data);
    left?.abort();
    assert.equal(await left?.done, false);
    await cache.idle();
    assert.equal(await open(cache, image), undefined);
    assert.deepEqual([await cache.list(), await readdir(join(place.directory, "incomplete"))], [[], []]);
    assert.deepEqual(await place.index.list(), []);
    assert.equal(await add(cache, image, data), true, "and the next download may fill it");
  },
);

testOnIndexes("cache: nothing is copied that is too large for it, has no data, or is not active", async (place) => {
  const cache = await place.open({ bytesMax: 1000 });
  assert.equal(await cache.fill(imageOf(randomBytes(1001))), undefined);
  assert.equal(await cache.fill(imageOf(Buffer.alloc(0))), undefined);
  assert.equal(await cache.fill({ ...imageOf(randomBytes(10)), status: "deactivated" }), undefined);
  assert.equal(await cache.fill({ ...imageOf(randomBytes(10)), sizeBytes: null }), undefined);
});

testOnIndexes(
  "cache: of several processes one fills an image; what a dead one left is taken over, and a late one does no harm",
  async (place) => {
    const [stuck, other] = [await place.open(), await place.open()];
    const data = randomBytes(1_500_000);
    const image = imageOf(data);
    const lost = await stuck.fill(image);
    await lost?.add(data.subarray(0, 1_200_000));
    assert.equal(await other.fill(image), undefined, "its filler lives");
    place.aheadMs = 120_000;
    assert.equal(await add(other, image, data), true);
    // It stood still meanwhile, and goes on.
    await lost?.add(data.subarray(1_200_000));
    lost?.end();
    assert.equal(await lost?.done, false);
    await stuck.idle();
    const copy = await open(stuck, image);
    assert(copy);
    assert.deepEqual(await buffer(copy), data);
  },
);

testOnIndexes(
  "cache: unfinished copies that nobody has touched for the stall time are removed, others stay",
  async (place) => {
    const cache = await place.open({ stallSeconds: 3600 });
    const incomplete = join(place.directory, "incomplete");
    await writeFile(join(incomplete, randomUUID()), "of the reference");
    await writeFile(join(incomplete, `${randomUUID()}.partial`), "of a dead process");
    await writeFile(join(place.directory, "invalid", randomUUID()), "did not verify");
    assert.equal(await cache.clean(), 0);
    place.aheadMs = 3_601_000;
    const young = join(incomplete, randomUUID());
    await writeFile(young, "being written");
    const now = new Date(Date.now() + place.aheadMs);
    await utimes(young, now, now);
    assert.equal(await cache.clean(), 3);
    assert.equal((await readdir(incomplete)).length, 1);
  },
);

testOnIndexes(
  "cache: a copy too many drives out those not read for longest, and whoever reads one of them reads it to the end",
  async (place) => {
    const cache = await place.open({ bytesMax: 3_000_000 });
    const images = [];
    for (let count = 0; count < 3; count++) {
      const data = randomBytes(1_000_000);
      const image = imageOf(data);
      place.aheadMs += 1000;
      await add(cache, image, data);
      images.push({ image, data });
    }
    const [first, second, third] = images;
    assert(first && second && third);
    place.aheadMs += 1000;
    const reader = await open(cache, second.image);
    assert(reader);
    reader.on("error", () => assert.fail("the reader was cut off"));
    place.aheadMs += 1000;
    await buffer((await open(cache, first.image)) ?? assert.fail("was not cached"));
    const fourth = imageOf(randomBytes(1_900_000));
    await add(cache, fourth, randomBytes(1_900_000)).then((whole) => assert.equal(whole, false));
    const data = randomBytes(1_900_000);
    await add(cache, imageOf(data, fourth.id), data);
    const left = (await cache.list()).map(({ imageId }) => imageId);
    assert.deepEqual(left.sort(), [first.image.id, fourth.id].sort());
    assert.deepEqual(await buffer(reader), second.data);
  },
);

testOnIndexes("cache: a copy of data that was replaced since is dropped", async (place) => {
  const cache = await place.open();
  const data = randomBytes(1000);
  const image = imageOf(data);
  await add(cache, image, data);
  assert.equal(await open(cache, imageOf(randomBytes(1000), image.id)), undefined);
  assert.equal(await cache.has(image.id), false);
});

testOnIndexes("cache: a copy that cannot be read is no answer, and no failure either", async (place) => {
  const cache = await place.open();
  const image = imageOf(randomBytes(1000));
  await mkdir(join(place.directory, image.id));
  place.index.find = () => Promise.reject(new Error("the index is away"));
  assert.equal(await open(cache, image), undefined);
  await rm(join(place.directory, image.id), { recursive: true });
  await writeFile(join(place.directory, image.id), randomBytes(1000));
  assert.equal(await open(cache, image), undefined);
});

testOnIndexes("cache: a client that is gone is told so, and not that there is no copy", async (place) => {
  const cache = await place.open();
  const data = randomBytes(1000);
  const image = imageOf(data);
  await add(cache, image, data);
  const gone = AbortSignal.abort(new Error("gone"));
  await assert.rejects(cache.open(image, { signal: gone }), /gone/);
});

testOnIndexes(
  "cache: index and folder are brought together: copies without a row count, rows without a copy go",
  async (place) => {
    const cache = await place.open();
    const data = randomBytes(1000);
    const { id } = imageOf(data);
    await writeFile(join(place.directory, id), data);
    await writeFile(join(place.directory, "cache.db"), "the index lies here too");
    await place.index.record({ imageId: randomUUID(), sizeBytes: 5, checksum: null, atMs: 0 });
    assert.deepEqual(
      (await cache.list()).map(({ imageId, sizeBytes }) => [imageId, sizeBytes]),
      [[id, 1000]],
    );
    assert.deepEqual(
      (await place.index.list()).map(({ imageId }) => imageId),
      [id],
    );
  },
);

testOnIndexes("cache: an image that is deleted while it is filled leaves no copy behind", async (place) => {
  const [filling, deleting] = [await place.open(), await place.open()];
  const data = randomBytes(2_500_000);
  const image = imageOf(data);
  const fill = await filling.fill(image);
  await fill?.add(data);
  await deleting.evict(image.id);
  fill?.end();
  await fill?.done;
  await filling.idle();
  assert.deepEqual([await filling.list(), await filling.has(image.id)], [[], false]);
});
