// What was queued is fetched once, by whichever process claims it, and stays queued until it is there.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { silentLogger } from "../core/logger.ts";
import { admin, Fixture, formats, never, read, send } from "../images/testing/fixture.ts";
import { memoryImages } from "../images/testing/memory-repositories.ts";
import { releaseOf } from "../releases/catalogue.ts";
import { createStoreRegistry } from "../stores/registry.ts";
import type { FileCache } from "./file-cache.ts";
import { prefetchQueued } from "./prefetch.ts";
import { startPrefetcher } from "./prefetcher.ts";
import { TestCache } from "./testing/test-cache.ts";

function depsOf(fixture: Fixture, cache: FileCache) {
  const images = memoryImages(fixture.database, releaseOf("yoga").capabilities);
  const stores = createStoreRegistry({
    stores: [{ id: "memory", type: "memory", description: null, weight: 0, store: fixture.store }],
    defaultId: "memory",
    key: null,
    weighed: false,
  });
  return { cache, images, stores, logger: silentLogger };
}

async function upload(fixture: Fixture, data: Buffer): Promise<string> {
  const services = fixture.node({ release: "yoga" });
  const { id } = await services.images.create(admin, formats);
  await send(services, admin, id, data);
  return id;
}

test("prefetch: what is queued is fetched, oldest first; what cannot be fetched at all leaves the queue", async () => {
  await using place = await TestCache.make();
  const cache = await place.open();
  const fixture = new Fixture();
  const one = await upload(fixture, Buffer.alloc(700_000, "one"));
  const unknown = randomUUID();
  const { id: empty } = await fixture.node({ release: "yoga" }).images.create(admin, formats);
  for (const id of [one, unknown, empty]) assert.equal(await cache.folder.enqueue(id), true);
  const outcome = await prefetchQueued(depsOf(fixture, cache), never);
  await cache.idle();
  assert.deepEqual(outcome.fetched, [one]);
  assert.deepEqual([...outcome.dropped].sort(), [unknown, empty].sort());
  assert.deepEqual(await cache.folder.queued(), []);
  // And it is the copy that is served from now on.
  const services = fixture.node({ release: "yoga", cache });
  await fixture.store.remove(fixture.store.locationFor(one));
  assert.equal((await read(services, admin, one)).length, 700_000);
});

test("prefetch: what is in a store that this node has not leaves the queue, and is told once", async () => {
  await using place = await TestCache.make();
  const cache = await place.open();
  const fixture = new Fixture();
  const id = await upload(fixture, Buffer.from("data"));
  fixture.database.write(id, { locations: [{ url: "rbd://fsid/images/one/snap", metadata: {}, status: "active" }] });
  await cache.folder.enqueue(id);
  assert.deepEqual(await prefetchQueued(depsOf(fixture, cache), never), { fetched: [], waiting: [], dropped: [id] });
  assert.deepEqual(await cache.folder.queued(), []);
  assert.equal(await cache.has(id), false);
});

test("prefetch: while the store does not give it, or another process fetches it, an image stays queued", async () => {
  await using place = await TestCache.make();
  const cache = await place.open();
  const fixture = new Fixture();
  const id = await upload(fixture, Buffer.alloc(400_000, 1));
  await cache.folder.enqueue(id);
  const other = await (await place.open()).fill({ id, status: "active", sizeBytes: 400_000, checksum: null });
  assert.deepEqual((await prefetchQueued(depsOf(fixture, cache), never)).waiting, [id]);
  other?.abort();
  await other?.done;
  await fixture.store.remove(fixture.store.locationFor(id));
  assert.deepEqual((await prefetchQueued(depsOf(fixture, cache), never)).waiting, [id]);
  await cache.idle();
  assert.deepEqual(await cache.folder.queued(), [id]);
});

test("prefetch: a worker that ends breaks off what it fetches, and it stays queued", async () => {
  await using place = await TestCache.make();
  const cache = await place.open();
  const fixture = new Fixture();
  const id = await upload(fixture, Buffer.alloc(400_000, 1));
  await cache.folder.enqueue(id);
  const asked = Promise.withResolvers<void>();
  const images = {
    find: () => {
      asked.resolve();
      return new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)));
    },
  };
  await cache.folder.enqueue(randomUUID());
  const prefetcher = startPrefetcher({ ...depsOf(fixture, cache), images }, 0);
  prefetcher.soon();
  await asked.promise;
  await prefetcher.stop();
  assert.equal((await cache.folder.queued()).length, 1, "the second was not begun");
});
