// The two indexes of an image cache keep the same promises: a file of the node's own, and the fleet's database.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { CacheIndex } from "../../cache/cache-index.ts";
import { silentLogger } from "../../core/logger.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { openCacheIndex } from "./cache-index.ts";
import { openSqliteCacheIndex } from "./sqlite-cache-index.ts";

const atMs = Date.UTC(2026, 10, 26, 8, 30, 15);

/** `another`: the same index as another process of the node has it. */
async function keepsItsPromises(index: CacheIndex, another: CacheIndex): Promise<void> {
  const [one, two] = [randomUUID(), randomUUID()];
  assert.equal(await index.find(one), undefined);
  await index.record({ imageId: one, sizeBytes: 5_000_000_000, checksum: "d".repeat(32), atMs });
  await index.record({ imageId: two, sizeBytes: 7, checksum: null, atMs });
  await Promise.all([1, 2, 3].map((second) => another.hit(one, atMs + second * 1000)));
  await index.hit(randomUUID(), atMs);
  const found = await another.find(one);
  assert.deepEqual(
    [found?.sizeBytes, found?.hits, found?.checksum, found?.lastModifiedMs],
    [5_000_000_000, 3, "d".repeat(32), atMs],
  );
  assert((found?.lastAccessedMs ?? 0) > atMs);
  assert.deepEqual((await another.list()).map(({ imageId }) => imageId).sort(), [one, two].sort());
  await another.record({ imageId: one, sizeBytes: 9, checksum: null, atMs: atMs + 60_000 });
  const again = await index.find(one);
  assert.deepEqual([again?.sizeBytes, again?.hits, again?.lastAccessedMs], [9, 0, atMs + 60_000]);
  await Promise.all([index.remove(one), another.remove(one)]);
  assert.deepEqual(
    (await index.list()).map((row) => [row.imageId, row.checksum]),
    [[two, null]],
  );
}

test("cache index: an SQLite file of the node's own, shared by its processes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-index-"));
  try {
    const path = join(folder, "a file.db");
    const [index, another] = await Promise.all([
      openSqliteCacheIndex(path, silentLogger),
      openSqliteCacheIndex(path, silentLogger),
    ]);
    await keepsItsPromises(index, another);
    await index.close();
    await another.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});

testOnDatabases("cache index: the fleet's database, each node's rows apart", "newest", async ({ db, another }) => {
  const url = "http://node-1.example:9292";
  const [index, sibling] = await Promise.all([openCacheIndex(db, url), openCacheIndex(await another(), url)]);
  const foreign = await openCacheIndex(db, "http://node-2.example:9292");
  const imageId = randomUUID();
  await foreign.record({ imageId, sizeBytes: 1, checksum: null, atMs });
  await keepsItsPromises(index, sibling);
  assert.equal((await foreign.list()).length, 1);
  assert.equal(await index.find(imageId), undefined);
  // The same image in two caches, and one process as fast as the other.
  await Promise.all([index, sibling].map((one) => one.record({ imageId, sizeBytes: 1, checksum: null, atMs })));
  assert.equal((await index.list()).filter((row) => row.imageId === imageId).length, 1);
});
