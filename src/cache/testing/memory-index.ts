// The index of a cache in memory, for tests of the cache: processes of one node share it.
import type { CacheIndex, CacheRow } from "../cache-index.ts";

/** Knows of no file. */
export function memoryIndex(): CacheIndex {
  const rows = new Map<string, CacheRow>();
  return {
    find: async (imageId) => rows.get(imageId),
    list: async () => [...rows.values()],
    async record({ imageId, sizeBytes, checksum, atMs }) {
      rows.set(imageId, {
        imageId,
        sizeBytes,
        checksum,
        hits: 0,
        lastAccessedMs: atMs,
        lastModifiedMs: atMs,
        rowId: null,
      });
    },
    async hit(imageId, atMs) {
      const row = rows.get(imageId);
      if (row) rows.set(imageId, { ...row, hits: row.hits + 1, lastAccessedMs: atMs });
    },
    async remove(imageId) {
      rows.delete(imageId);
    },
    close: async () => undefined,
  };
}
