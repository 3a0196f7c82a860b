// What every index of an image cache promises, whatever it is kept in.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { CacheIndex } from "../cache-index.ts";

/** When the copies of the suite were written. */
export const atMs = Date.UTC(2026, 10, 26, 8, 30, 15);

/** `another`: the same index as another process of the node has it. `place`: puts a copy of this size where the index looks for one. */
export async function keepsItsPromises(
  index: CacheIndex,
  another: CacheIndex,
  place: (imageId: string, sizeBytes: number) => Promise<void> = async () => undefined,
): Promise<void> {
  const [one, two] = [randomUUID(), randomUUID()];
  await place(one, 5_000_000_000);
  await place(two, 7);
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
  await place(one, 9);
  await another.record({ imageId: one, sizeBytes: 9, checksum: null, atMs: atMs + 60_000 });
  const again = await index.find(one);
  assert.deepEqual([again?.sizeBytes, again?.hits, again?.lastAccessedMs], [9, 0, atMs + 60_000]);
  await Promise.all([index.remove(one), another.remove(one)]);
  assert.deepEqual(
    (await index.list()).map((row) => [row.imageId, row.checksum]),
    [[two, null]],
  );
}
