// The index of a node's image cache in an SQLite file of its own, beside the copies: the reference's file and table, so that either takes over
// what the other has cached.
import type { CacheIndex, CacheRow } from "../../cache/cache-index.ts";
import type { Logger } from "../../core/logger.ts";
import { openParsedDatabase } from "../connect.ts";
import type { Row } from "../database.ts";

const createTable = `create table if not exists cached_images (
  image_id text primary key, last_accessed real default 0.0, last_modified real default 0.0,
  size integer default 0, hits integer default 0, checksum text)`;

const select = "select image_id, last_accessed, last_modified, size, hits, checksum from cached_images";

/** Creates file and table where they are missing. `path`: absolute. Throws db.unreachable, db.access_denied. */
export async function openSqliteCacheIndex(path: string, logger: Logger): Promise<CacheIndex> {
  const url = { dialect: "sqlite", path, ignored: [], display: `sqlite:///${path}` } as const;
  const db = await openParsedDatabase(url, { poolSizeMax: 1, logger });
  try {
    await db.run(createTable);
  } catch (error) {
    await db.close();
    throw error;
  }
  return {
    async find(imageId) {
      const [row] = await db.query(`${select} where image_id = ?`, [imageId]);
      return row && read(row);
    },

    async list() {
      return (await db.query(select)).map(read);
    },

    async record({ imageId, sizeBytes, checksum, atMs }) {
      await db.run(
        "insert or replace into cached_images (image_id, last_accessed, last_modified, size, hits, checksum) values (?, ?, ?, ?, 0, ?)",
        [imageId, atMs / 1000, atMs / 1000, sizeBytes, checksum],
      );
    },

    async hit(imageId, atMs) {
      await db.run("update cached_images set hits = hits + 1, last_accessed = ? where image_id = ?", [
        atMs / 1000,
        imageId,
      ]);
    },

    async remove(imageId) {
      await db.run("delete from cached_images where image_id = ?", [imageId]);
    },

    close: () => db.close(),
  };
}

function read(row: Row): CacheRow {
  return {
    imageId: String(row.image_id),
    sizeBytes: Number(row.size),
    hits: Number(row.hits),
    lastAccessedMs: Number(row.last_accessed) * 1000,
    lastModifiedMs: Number(row.last_modified) * 1000,
    checksum: row.checksum === null ? null : String(row.checksum),
    rowId: null,
  };
}
