// Rows of one table, many to a statement.
import type { Queryable, SqlValue } from "../database.ts";

/** Rows written by one INSERT. */
const insertRowsMax = 200;

export async function insertRows(
  tx: Queryable,
  table: string,
  columns: readonly string[],
  rows: readonly (readonly SqlValue[])[],
): Promise<void> {
  const one = `(${columns.map(() => "?").join(", ")})`;
  for (let from = 0; from < rows.length; from += insertRowsMax) {
    const part = rows.slice(from, from + insertRowsMax);
    await tx.run(`insert into ${table} (${columns.join(", ")}) values ${part.map(() => one).join(", ")}`, part.flat());
  }
}
