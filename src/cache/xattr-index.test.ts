// The index in the files' own attributes keeps the promises of an index, and keeps them in the reference's form.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isServiceError } from "../core/errors.ts";
import { CacheFolder } from "./cache-folder.ts";
import { loadExtendedAttributes } from "./extended-attributes.ts";
import { keepsItsPromises } from "./testing/index-conformance.ts";
import { noXattrs } from "./testing/indexes.ts";
import { imageOf, TestCache } from "./testing/test-cache.ts";
import { openXattrIndex } from "./xattr-index.ts";

const skip = noXattrs;

async function inFolder(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "perennial-xattr-"));
  try {
    await new CacheFolder(directory).prepare();
    await work(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test("xattr index: keeps the promises of an index, shared by a node's processes", { skip }, () =>
  inFolder(async (directory) => {
    const [index, another] = await Promise.all([openXattrIndex(directory), openXattrIndex(directory)]);
    // Without room: all but the size is a hole.
    await keepsItsPromises(index, another, async (imageId, sizeBytes) => {
      await writeFile(join(directory, imageId), "");
      await truncate(join(directory, imageId), sizeBytes);
    });
    assert.deepEqual(await readdir(join(directory, "incomplete")), [], "what it was tried with is gone");
  }),
);

test(
  "xattr index: what the reference has written is known, with its hits and times, and stays as it was",
  { skip },
  () =>
    inFolder(async (directory) => {
      const attributes = await loadExtendedAttributes();
      const imageId = randomUUID();
      const path = join(directory, imageId);
      await writeFile(path, "data");
      attributes.set(path, "user.hits", "41");
      const [accessed, modified] = [new Date("2026-07-02T03:04:05Z"), new Date("2026-07-01T03:04:05Z")];
      await utimes(path, accessed, modified);
      const index = await openXattrIndex(directory);
      assert.deepEqual(await index.list(), [
        {
          imageId,
          sizeBytes: 4,
          hits: 41,
          lastAccessedMs: accessed.getTime(),
          lastModifiedMs: modified.getTime(),
          checksum: null,
          rowId: null,
        },
      ]);
      await index.hit(imageId, accessed.getTime() + 1000);
      assert.equal(attributes.get(path, "user.hits"), "42");
      const { atimeMs, mtimeMs } = await stat(path);
      assert.deepEqual([atimeMs, mtimeMs], [accessed.getTime() + 1000, modified.getTime()]);
    }),
);

test("xattr index: a number of hits that is none counts as nought, and a file without one is no row", { skip }, () =>
  inFolder(async (directory) => {
    const attributes = await loadExtendedAttributes();
    const index = await openXattrIndex(directory);
    const imageId = randomUUID();
    const path = join(directory, imageId);
    await writeFile(path, "data");
    await index.hit(imageId, 0);
    assert.equal(await index.find(imageId), undefined);
    for (const nonsense of ["", "-1", "many", "9".repeat(40)]) {
      attributes.set(path, "user.hits", nonsense);
      assert.equal((await index.find(imageId))?.hits, 0, nonsense);
    }
    attributes.set(path, "user.hits", "9".repeat(100));
    assert.equal(await index.find(imageId), undefined);
  }),
);

test("xattr index: a copy has its attributes before it has its name", { skip }, async () => {
  await using place = await TestCache.make(openXattrIndex);
  const attributes = await loadExtendedAttributes();
  const [cache, data] = [await place.open(), randomBytes(100_000)];
  const image = imageOf(data);
  const recorded: (string | undefined)[] = [];
  const { record } = place.index;
  place.index.record = async (row) => {
    await record(row);
    const unfinished = await readdir(join(place.directory, "incomplete"));
    for (const name of unfinished.filter((one) => one.includes(".")))
      recorded.push(attributes.get(join(place.directory, "incomplete", name), "user.hits"));
  };
  const fill = await cache.fill(image);
  await fill?.add(data);
  fill?.end();
  assert.equal(await fill?.done, true);
  assert.deepEqual(recorded, ["0"]);
  const copy = await place.index.find(image.id);
  assert.deepEqual([copy?.hits, copy?.checksum], [0, image.checksum]);
});

test("xattr index: an event loop beside a long list is never held up for long", { skip }, () =>
  inFolder(async (directory) => {
    const attributes = await loadExtendedAttributes();
    const index = await openXattrIndex(directory);
    const count = 2_000;
    for (let made = 0; made < count; made++) {
      const path = join(directory, randomUUID());
      await writeFile(path, "");
      attributes.set(path, "user.hits", "1");
    }
    let turns = 0;
    let listing = true;
    const turn = () => {
      turns += 1;
      if (listing) setImmediate(turn);
    };
    setImmediate(turn);
    assert.equal((await index.list()).length, count);
    listing = false;
    // Every file is looked at in a turn of its own.
    assert(turns >= count, `${turns} turns`);
  }),
);

test("xattr index: a folder whose file system keeps no such attributes is refused, and what to do is said", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "perennial-ramfs-"));
  try {
    if (spawnSync("mount", ["-t", "ramfs", "perennial-test", directory]).status !== 0)
      return t.skip("this machine does not let tests mount a file system without extended attributes");
    await new CacheFolder(directory).prepare();
    await assert.rejects(openXattrIndex(directory), (error) => {
      assert(isServiceError(error, "config.invalid"));
      assert.match(
        error.message,
        /image_cache_driver is xattr, but the file system of .* keeps no extended attributes/,
      );
      assert.match(error.message, /set image_cache_driver = sqlite/);
      return true;
    });
    assert.deepEqual(await readdir(join(directory, "incomplete")), []);
  } finally {
    spawnSync("umount", [directory]);
    await rm(directory, { recursive: true });
  }
});
