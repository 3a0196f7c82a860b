// What a cache has to remember of its files, as a contract: implemented by db/repositories for an SQLite file of the node's own and for the
// fleet's database, and by xattr-index.ts for attributes of the files themselves. An index may lag behind the folder (a process died): file-cache.ts sets it right, and nothing is served on its word alone.

export type CacheRow = {
  readonly imageId: string;
  readonly sizeBytes: number;
  readonly hits: number;
  /** Milliseconds since the epoch. */
  readonly lastAccessedMs: number;
  readonly lastModifiedMs: number;
  /** MD5 of the data, hex; null where it is not known. */
  readonly checksum: string | null;
  /** The number of the row where it is in the fleet's database. */
  readonly rowId: number | null;
};

export type NewCacheRow = Pick<CacheRow, "imageId" | "sizeBytes" | "checksum"> & { readonly atMs: number };

export interface CacheIndex {
  find(imageId: string): Promise<CacheRow | undefined>;
  /** All of this node's, in no order. */
  list(): Promise<readonly CacheRow[]>;
  /** Written anew where there is one already, with its hits at 0. The copy, or what is to become it, is there (else there may be no row). */
  record(row: NewCacheRow): Promise<void>;
  /** Counts one more reader. Harmless where there is no row. */
  hit(imageId: string, atMs: number): Promise<void>;
  remove(imageId: string): Promise<void>;
  /** Safe to call twice. */
  close(): Promise<void>;
}
