// Newton -> Ocata, migrate: gives the rows that have no visibility yet the one their is_public and members say.
// Rows that have one are never touched: they were written by nodes of either release since expand, and the triggers kept them true.
import type { Dialect, Queryable } from "../../database.ts";
import { isLive } from "../../repositories/live-row.ts";
import type { Backfill, BatchTools } from "../../schema/step.ts";

export const shareProgressName = "ocata: share private images that have members";

const marks = (values: readonly unknown[]) => values.map(() => "?").join(", ");

/**
 * Of the images from `first` to `last` those with a live member. Read after the images were locked: the triggers and the foreign key
 * make whoever adds a member wait for that lock, so a member is either seen here, or finds the image as this migration left it.
 */
async function withMembers(tx: Queryable, first: string, last: string): Promise<readonly string[]> {
  const rows = await tx.query<{ image_id: string }>(
    `SELECT DISTINCT image_id FROM image_members WHERE ${isLive} AND image_id >= ? AND image_id <= ?`,
    [first, last],
  );
  return rows.map((row) => row.image_id);
}

// The walk is along the primary key, where rows lie in its order on MySQL; the index on visibility is written meanwhile. SQLite would
// take that index for an UPDATE, and look through all that is pending for every batch.
const byKey: Record<Dialect["name"], string> = {
  mysql: " FORCE INDEX (PRIMARY)",
  sqlite: " INDEXED BY sqlite_autoindex_images_1",
  postgresql: "",
};

// Within a page. PostgreSQL knows nothing of a new column's values and believes that few are NULL: by an index it would look all pending
// rows up for every batch (measured at 200,000 rows: 500 rows/s and falling), so it is asked in words that no index answers.
const isPending: Record<Dialect["name"], string> = {
  mysql: "visibility IS NULL",
  sqlite: "visibility IS NULL",
  postgresql: "CASE WHEN visibility IS NULL THEN TRUE ELSE FALSE END",
};

type Page = { readonly first: string; readonly last: string; readonly rows: number; readonly pending: number };

async function readPage(db: Queryable, dialect: Dialect, from: string, key: string, rowsMax: number) {
  const [page] = await db.query<{ first: string | null; last: string; n: unknown; pending: unknown }>(
    `SELECT MIN(k) AS first, MAX(k) AS last, COUNT(*) AS n, SUM(pending) AS pending FROM
       (SELECT id AS k, CASE WHEN visibility IS NULL THEN 1 ELSE 0 END AS pending FROM images${byKey[dialect.name]}
        WHERE id ${from} ? ORDER BY id LIMIT ${rowsMax}) page`,
    [key],
  );
  if (!page || page.first === null) return null;
  const { first, last, n, pending } = page;
  return { first, last, rows: Number(n), pending: Number(pending) };
}

/** A page with something pending in it: the next one, or the one where the next pending row stands. */
async function nextPage(db: Queryable, cursor: string, rowsMax: number, dialect: Dialect): Promise<Page | null> {
  const page = await readPage(db, dialect, ">", cursor, rowsMax);
  if (page === null || page.pending > 0) return page;
  const [next] = await db.query<{ id: string }>(
    "SELECT id FROM images WHERE visibility IS NULL AND id > ? ORDER BY id LIMIT 1",
    [page.last],
  );
  return next ? readPage(db, dialect, ">=", next.id, rowsMax) : null;
}

// The first branch is never taken under the lock; it gives the expression the type of the column where that matters.
const derived = (shared: readonly string[]) =>
  `CASE WHEN visibility IS NOT NULL THEN visibility WHEN is_public = TRUE THEN 'public'
     ${shared.length > 0 ? `WHEN id IN (${marks(shared)}) THEN 'shared'` : ""} ELSE 'private' END`;

async function derivePage(tx: Queryable, { first, last, pending }: Page, { dialect, lockFreeRows }: BatchTools) {
  const within = `id >= ? AND id <= ? AND ${isPending[dialect.name]}`;
  const images = `images${byKey[dialect.name]}`;
  const rows = await tx.query<{ id: string }>(`SELECT id FROM ${images} WHERE ${within} ${lockFreeRows}`, [
    first,
    last,
  ]);
  if (rows.length === 0) return 0;
  const shared = await withMembers(tx, first, last);
  // All that were pending are ours, so no other can be met in the range, and the server need not look 2,000 keys up one by one.
  const all = rows.length === pending;
  const ids = all ? [first, last] : rows.map((row) => row.id);
  const where = all ? within : `id IN (${marks(ids)})`;
  const sql = `UPDATE ${images} SET visibility = ${derived(shared)} WHERE ${where}`;
  return (await tx.run(sql, [...shared, ...ids])).rowsAffected;
}

const deriveVisibility: Backfill = {
  name: "ocata: derive images.visibility from is_public",
  table: "images",
  neededToServe: true,
  async nextBatch(db, cursor, rowsMax, dialect) {
    const page = await nextPage(db, cursor, rowsMax, dialect);
    return page && { last: page.last, rows: page.rows, apply: (tx, tools) => derivePage(tx, page, tools) };
  },
  async pending(db, rowsMax) {
    const [row] = await db.query<{ n: number }>(
      `SELECT COUNT(*) AS n FROM (SELECT 1 FROM images WHERE visibility IS NULL LIMIT ${rowsMax}) pending`,
    );
    return Number(row?.n ?? 0);
  },
};

async function share(tx: Queryable, ids: readonly string[], { dialect, lockFreeRows }: BatchTools): Promise<number> {
  const images = `images${dialect.byPrimaryKey}`;
  const rows = await tx.query<{ id: string }>(
    `SELECT id FROM ${images} WHERE id IN (${marks(ids)}) AND visibility = 'private' ${lockFreeRows}`,
    ids,
  );
  if (rows.length === 0) return 0;
  const held = new Set(rows.map((row) => row.id));
  // Again under the lock: a member may have gone.
  const shared = (await withMembers(tx, ids[0] ?? "", ids.at(-1) ?? "")).filter((id) => held.has(id));
  if (shared.length === 0) return 0;
  const sql = `UPDATE ${images} SET visibility = 'shared' WHERE id IN (${marks(shared)})`;
  return (await tx.run(sql, shared)).rowsAffected;
}

const shareWhereMembers: Backfill = {
  name: shareProgressName,
  table: "image_members",
  once: true,
  async nextBatch(db, cursor, rowsMax) {
    const rows = await db.query<{ image_id: string }>(
      `SELECT DISTINCT image_id FROM image_members WHERE ${isLive} AND image_id > ? ORDER BY image_id LIMIT ${rowsMax}`,
      [cursor],
    );
    const ids = rows.map((row) => row.image_id);
    const last = ids.at(-1);
    return last === undefined ? null : { last, rows: ids.length, apply: (tx, tools) => share(tx, ids, tools) };
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
