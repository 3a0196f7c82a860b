// DELETE by key, as each database has it so that no row is locked but those named.
import type { Dialect, Queryable, SqlValue } from "../database.ts";

const deleteFrom: Record<Dialect["name"], (table: string) => string> = {
  // By default MySQL reads, and locks, a small table as a whole. Where a foreign key meets somebody's lock, MariaDB is not to wait with all
  // the rows of the batch in its hands: the batch is given up, and made again in a moment. MySQL takes the first part for a comment.
  mysql: (table) =>
    `/*M!100300 SET STATEMENT innodb_lock_wait_timeout = 0 FOR */ DELETE ${table} FROM ${table} FORCE INDEX (PRIMARY)`,
  sqlite: (table) => `DELETE FROM ${table}`,
  postgresql: (table) => `DELETE FROM ${table}`,
};

/** `key`: the one column of the primary key. Returns how many rows there were. */
export async function deleteByKey(
  tx: Queryable,
  dialect: Dialect,
  { table, key }: { readonly table: string; readonly key: string },
  keys: readonly SqlValue[],
): Promise<number> {
  if (keys.length === 0) return 0;
  const list = keys.map(() => "?").join(", ");
  const sql = `${deleteFrom[dialect.name](table)} WHERE ${table}.${key} IN (${list})`;
  return (await tx.run(sql, keys)).rowsAffected;
}
