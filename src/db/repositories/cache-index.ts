// The index of a node's image cache in the fleet's database (cached_images, node_reference), under the node's URL. The database outlives a
// node and its cache: rows of a node that never came back say nothing to the others.
import assert from "node:assert/strict";
import type { CacheIndex, CacheRow } from "../../cache/cache-index.ts";
import { isServiceError } from "../../core/errors.ts";
import type { Database, Row } from "../database.ts";

const columns = "id, image_id, last_accessed, last_modified, size, hits, checksum";

/** `db` stays open when the index is closed. Throws what the database says where the tables are missing. */
export async function openCacheIndex(db: Database, nodeUrl: string): Promise<CacheIndex> {
  const { encodeTime, decodeTime } = db.dialect;
  const node = await nodeReference(db, nodeUrl);
  const timeOf = (ms: number) => encodeTime(new Date(ms).toISOString().replace(/\.\d+Z$/, "Z"));
  const msOf = (time: unknown) => Date.parse(decodeTime(String(time)));

  const read = (row: Row): CacheRow => ({
    imageId: String(row.image_id),
    sizeBytes: Number(row.size),
    hits: Number(row.hits),
    lastAccessedMs: msOf(row.last_accessed),
    lastModifiedMs: msOf(row.last_modified),
    checksum: row.checksum === null ? null : String(row.checksum),
    rowId: Number(row.id),
  });

  return {
    async find(imageId) {
      const sql = `select ${columns} from cached_images where image_id = ? and node_reference_id = ?`;
      const [row] = await db.query(sql, [imageId, node]);
      return row && read(row);
    },

    async list() {
      return (await db.query(`select ${columns} from cached_images where node_reference_id = ?`, [node])).map(read);
    },

    async record({ imageId, sizeBytes, checksum, atMs }) {
      const time = timeOf(atMs);
      const values = [time, time, sizeBytes, checksum, imageId, node];
      const update = () =>
        db.run(
          "update cached_images set last_accessed = ?, last_modified = ?, size = ?, hits = 0, checksum = ? where image_id = ? and node_reference_id = ?",
          values,
        );
      if ((await update()).rowsAffected > 0) return;
      try {
        await db.run(
          "insert into cached_images (last_accessed, last_modified, size, hits, checksum, image_id, node_reference_id) values (?, ?, ?, 0, ?, ?, ?)",
          values,
        );
      } catch (error) {
        // Another process of this node was quicker.
        if (!isServiceError(error, "db.duplicate")) throw error;
        await update();
      }
    },

    async hit(imageId, atMs) {
      await db.run(
        "update cached_images set hits = hits + 1, last_accessed = ? where image_id = ? and node_reference_id = ?",
        [timeOf(atMs), imageId, node],
      );
    },

    async remove(imageId) {
      await db.run("delete from cached_images where image_id = ? and node_reference_id = ?", [imageId, node]);
    },

    close: async () => undefined,
  };
}

/** The node's number; given to it when it comes for the first time. */
async function nodeReference(db: Database, url: string): Promise<number> {
  const find = async () => {
    const sql = "select node_reference_id from node_reference where node_reference_url = ?";
    const [row] = await db.query(sql, [url]);
    return row === undefined ? null : Number(row.node_reference_id);
  };
  const found = await find();
  if (found !== null) return found;
  try {
    await db.run("insert into node_reference (node_reference_url) values (?)", [url]);
  } catch (error) {
    // All workers of a node start at once.
    if (!isServiceError(error, "db.duplicate")) throw error;
  }
  return (await find()) ?? assert.fail(`node_reference has no row of ${url} although one was written`);
}
