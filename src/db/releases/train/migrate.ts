// Stein -> Train, migrate: image_locations.meta_data says `"store":` where Rocky and Stein, with several stores, wrote `"backend":`.
// Replaced as text, as the reference does, in every row that has it, removed ones too. Our nodes read both keys at every release, so
// none waits for it.
import type { Queryable } from "../../database.ts";
import type { Backfill, BatchTools } from "../../schema/step.ts";

const oldKey = '"backend":';
const newKey = '"store":';
/** Rows one statement looks through: no index helps here, and most rows have nothing to replace. */
const rangeRows = 5_000;

const replaced = (from: string, to: string) => `REPLACE(meta_data, '${from}', '${to}')`;
/** True where there is something to replace, and in no other case: collations that fold letters cannot mislead it. */
const names = (from: string, to: string) => `meta_data <> ${replaced(from, to)}`;

export const namesOldKey = names(oldKey, newKey);

/** The next range of ids after `from`; null behind the last. */
async function rangeAfter(db: Queryable, from: number): Promise<number | null> {
  const [range] = await db.query<{ last: unknown }>(
    `SELECT MAX(id) AS last FROM (SELECT id FROM image_locations WHERE id > ? ORDER BY id LIMIT ${rangeRows}) page`,
    [from],
  );
  return range?.last == null ? null : Number(range.last);
}

function renameKey(name: string, from: string, to: string): Backfill {
  const condition = names(from, to);
  const marks = (values: readonly unknown[]) => values.map(() => "?").join(", ");
  async function rename(tx: Queryable, ids: readonly number[], { dialect, lockFreeRows }: BatchTools): Promise<number> {
    const locations = `image_locations${dialect.byPrimaryKey}`;
    const rows = await tx.query<{ id: unknown }>(
      `SELECT id FROM ${locations} WHERE id IN (${marks(ids)}) AND ${condition} ${lockFreeRows}`,
      ids,
    );
    if (rows.length === 0) return 0;
    const held = rows.map((row) => Number(row.id));
    const sql = `UPDATE ${locations} SET meta_data = ${replaced(from, to)} WHERE id IN (${marks(held)})`;
    return (await tx.run(sql, held)).rowsAffected;
  }
  return {
    name,
    table: "image_locations",
    async nextBatch(db, cursor, rowsMax) {
      for (let after = Number(cursor); ; ) {
        const last = await rangeAfter(db, after);
        if (last === null) return null;
        const rows = await db.query<{ id: unknown }>(
          `SELECT id FROM image_locations WHERE id > ? AND id <= ? AND ${condition} ORDER BY id LIMIT ${rowsMax}`,
          [after, last],
        );
        const ids = rows.map((row) => Number(row.id));
        if (ids.length > 0)
          return { last: String(ids.at(-1)), rows: ids.length, apply: (tx, tools) => rename(tx, ids, tools) };
        after = last;
      }
    },
    async pending(db, rowsMax) {
      let count = 0;
      for (let after = 0; count < rowsMax; ) {
        const last = await rangeAfter(db, after);
        if (last === null) break;
        const [row] = await db.query<{ n: unknown }>(
          `SELECT COUNT(*) AS n FROM image_locations WHERE id > ? AND id <= ? AND ${condition}`,
          [after, last],
        );
        count += Number(row?.n ?? 0);
        after = last;
      }
      return Math.min(count, rowsMax);
    },
  };
}

export const migrate: readonly Backfill[] = [
  {
    ...renameKey("train: name stores of locations by `store`", oldKey, newKey),
    undo: renameKey("train: name stores of locations by `backend` again", newKey, oldKey),
  },
];
