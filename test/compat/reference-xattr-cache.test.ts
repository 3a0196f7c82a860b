// One cache folder, and the reference's driver xattr and ours in turns: each lists, serves and counts what the other has cached.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { buffer, text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { noXattrs } from "../../src/cache/testing/indexes.ts";
import { imageOf, TestCache } from "../../src/cache/testing/test-cache.ts";
import { openXattrIndex } from "../../src/cache/xattr-index.ts";

const script = fileURLToPath(new URL("./reference-xattr-cache.py", import.meta.url));
const never = new AbortController().signal;

type Step = readonly [string, ...string[]];

/** What each of these calls of the reference's driver gave. */
function reference(folder: string, ...steps: readonly Step[]): readonly unknown[] {
  const output = execFileSync("/usr/bin/python3", [script], {
    input: JSON.stringify([folder, steps]),
    encoding: "utf8",
  });
  return JSON.parse(output) as readonly unknown[];
}

test("compat: the reference's driver xattr and ours take one cache from each other and give it back", {
  skip: noXattrs,
}, async () => {
  await using place = await TestCache.make(openXattrIndex);
  const theirs = imageOf(Buffer.from("cached by the reference"));
  const ours = imageOf(Buffer.from("cached by us"));
  const [queued, later] = [randomUUID(), randomUUID()];
  reference(
    place.directory,
    ["write", theirs.id, "cached by the reference"],
    ["read", theirs.id],
    ["read", theirs.id],
    ["queue_image", queued],
  );

  const cache = await place.open();
  const [taken] = await cache.list();
  assert.deepEqual([taken?.imageId, taken?.sizeBytes, taken?.hits], [theirs.id, theirs.sizeBytes, 2]);
  assert.deepEqual(await cache.folder.queued(), [queued]);
  assert.equal(
    await text((await cache.open(theirs, { signal: never })) ?? assert.fail("not served")),
    "cached by the reference",
  );
  const fill = (await cache.fill(ours)) ?? assert.fail("not filled");
  await fill.add(Buffer.from("cached by us"));
  fill.end();
  assert.equal(await fill.done, true);
  await cache.idle();
  for (const _ of [1, 2, 3]) await buffer((await cache.open(ours, { signal: never })) ?? assert.fail("not served"));
  await cache.folder.enqueue(later);
  await cache.idle();
  const known = await cache.list();

  const [entries, read, hits, waiting] = reference(
    place.directory,
    ["get_cached_images"],
    ["read", ours.id],
    ["get_hit_count", ours.id],
    ["get_queued_images"],
  );
  const byId = (one: { image_id: string }, other: { image_id: string }) => one.image_id.localeCompare(other.image_id);
  assert.deepEqual(
    (entries as { image_id: string }[]).sort(byId),
    known
      .map((row) => ({
        image_id: row.imageId,
        last_modified: Math.floor(row.lastModifiedMs / 1000),
        last_accessed: Math.floor(row.lastAccessedMs / 1000),
        size: row.sizeBytes,
        hits: row.hits,
      }))
      .sort(byId),
  );
  assert.deepEqual(known.map((row) => row.hits).sort(), [3, 3]);
  assert.deepEqual([read, hits], ["cached by us", 4]);
  assert.deepEqual(waiting, [queued, later]);

  reference(place.directory, ["delete_cached_image", ours.id], ["delete_all_queued_images"]);
  assert.deepEqual(
    (await cache.list()).map(({ imageId }) => imageId),
    [theirs.id],
  );
  assert.deepEqual(await cache.folder.queued(), []);
});
