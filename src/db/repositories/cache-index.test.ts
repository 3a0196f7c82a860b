// The indexes of an image cache that are databases keep its promises: a file of the node's own, and the fleet's database.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { atMs, keepsItsPromises } from "../../cache/testing/index-conformance.ts";
import { silentLogger } from "../../core/logger.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { openCacheIndex } from "./cache-index.ts";
import { openSqliteCacheIndex } from "./sqlite-cache-index.ts";

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
