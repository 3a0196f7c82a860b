// Newton -> Ocata, migrate: gives the rows that have no visibility yet the one their is_public and members say.
// Rows that have one are never touched: they were written by nodes of either release since expand, and the triggers kept them true.
import type { Queryable } from "../../database.ts";
import { isLive } from "../../repositories/live-row.ts";
import type { Backfill } from "../../schema/step.ts";

export const shareProgressName = "ocata: share private images that have members";

const marks = (values: readonly unknown[]) => values.map(() => "?").join(", ");

/**
 * Of these images those with a live member. Read after the images were locked: the triggers and the foreign key make whoever adds
 * a member wait for that lock, so a member is either seen here, or finds the image as this migration left it.
 */
async function withMembers(tx: Queryable, ids: readonly string[]): Promise<readonly string[]> {
  if (ids.length === 0) return [];
  const rows = await tx.query<{ image_id: string }>(
    `SELECT DISTINCT image_id FROM image_members WHERE ${isLive} AND image_id IN (${marks(ids)})`,
    ids,
  );
  return rows.map((row) => row.image_id);
}

async function setVisibility(tx: Queryable, ids: readonly string[], visibility: string): Promise<number> {
  if (ids.length === 0) return 0;
  const sql = `UPDATE images SET visibility = '${visibility}' WHERE id IN (${marks(ids)})`;
  return (await tx.run(sql, ids)).rowsAffected;
}

// The index gives the pending rows in key order on MySQL. SQLite's holds no key, and sorting what is pending for every batch would
// be quadratic; there the key's own index is walked.
const pendingHint = {
  mysql: "FORCE INDEX (visibility_image_idx)",
  sqlite: "INDEXED BY sqlite_autoindex_images_1",
  postgresql: "",
};

const deriveVisibility: Backfill = {
  name: "ocata: derive images.visibility from is_public",
  table: "images",
  neededToServe: true,
  async nextKeys(db, cursor, rowsMax, dialect) {
    const rows = await db.query<{ id: string }>(
      `SELECT id FROM images ${pendingHint[dialect.name]} WHERE visibility IS NULL AND id > ? ORDER BY id LIMIT ${rowsMax}`,
      [cursor],
    );
    return rows.map((row) => row.id);
  },
  async apply(tx, keys, { lockFreeRows }) {
    const rows = await tx.query<{ id: string; is_public: unknown }>(
      `SELECT id, is_public FROM images WHERE id IN (${marks(keys)}) AND visibility IS NULL ${lockFreeRows}`,
      keys,
    );
    const open = rows.filter((row) => Number(row.is_public) === 1).map((row) => row.id);
    const closed = rows.filter((row) => Number(row.is_public) !== 1).map((row) => row.id);
    const shared = new Set(await withMembers(tx, closed));
    const changed = [
      await setVisibility(tx, open, "public"),
      await setVisibility(tx, [...shared], "shared"),
      await setVisibility(
        tx,
        closed.filter((id) => !shared.has(id)),
        "private",
      ),
    ];
    return changed.reduce((sum, count) => sum + count, 0);
  },
  async pending(db, rowsMax) {
    const [row] = await db.query<{ n: number }>(
      `SELECT COUNT(*) AS n FROM (SELECT 1 FROM images WHERE visibility IS NULL LIMIT ${rowsMax}) pending`,
    );
    return Number(row?.n ?? 0);
  },
};

const shareWhereMembers: Backfill = {
  name: shareProgressName,
  table: "image_members",
  once: true,
  async nextKeys(db, cursor, rowsMax) {
    const rows = await db.query<{ image_id: string }>(
      `SELECT DISTINCT image_id FROM image_members WHERE ${isLive} AND image_id > ? ORDER BY image_id LIMIT ${rowsMax}`,
      [cursor],
    );
    return rows.map((row) => row.image_id);
  },
  async apply(tx, keys, { lockFreeRows }) {
    const rows = await tx.query<{ id: string }>(
      `SELECT id FROM images WHERE id IN (${marks(keys)}) AND visibility = 'private' ${lockFreeRows}`,
      keys,
    );
    const ids = rows.map((row) => row.id);
    return setVisibility(tx, await withMembers(tx, ids), "shared");
  },
  async pending(db, rowsMax, progress) {
    if ((await progress.find(shareProgressName))?.finished) return 0;
    const [row] = await db.query<{ n: number }>(
      `SELECT COUNT(*) AS n FROM (SELECT DISTINCT m.image_id FROM image_members m JOIN images i ON i.id = m.image_id
       WHERE m.${isLive} AND i.visibility = 'private' LIMIT ${rowsMax}) pending`,
    );
    return Number(row?.n ?? 0);
  },
};

export const migrate: readonly Backfill[] = [deriveVisibility, shareWhereMembers];
