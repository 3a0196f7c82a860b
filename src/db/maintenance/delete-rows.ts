// DELETE by key, as each database has it so that no row is locked but those named.
import type { Dialect, Queryable, SqlValue } from "../database.ts";

type Keyed = { readonly table: string; readonly key: string };

/** With as many placeholders as there are keys. */
const statements: Record<Dialect["name"], (subject: Keyed, keys: number) => string> = {
  mysql: deleteByJoin,
  sqlite: deleteByList,
  postgresql: deleteByList,
};

/** `key`: the one column of the primary key. Returns how many rows there were. */
export async function deleteByKey(
  tx: Queryable,
  dialect: Dialect,
  subject: Keyed,
  keys: readonly SqlValue[],
): Promise<number> {
  if (keys.length === 0) return 0;
  return (await tx.run(statements[dialect.name](subject, keys.length), keys)).rowsAffected;
}

function deleteByList({ table, key }: Keyed, keys: number): string {
  return `DELETE FROM ${table} WHERE ${key} IN (${Array.from({ length: keys }, () => "?").join(", ")})`;
}

/**
 * For a list of more than a quarter or so of a table's keys MySQL reads, and locks, all of it, and MariaDB's DELETE does so whatever index
 * it is told to use. The keys of a derived table are looked up one by one; its first, empty part gives it the key's type and collation.
 *
 * Where a foreign key meets somebody's lock, MariaDB is not to wait with all the rows of the batch in its hands: the batch is given up,
 * and made again in a moment. MySQL takes that part for a comment.
 */
function deleteByJoin({ table, key }: Keyed, keys: number): string {
  const named = Array.from({ length: keys }, () => "UNION ALL SELECT ?").join(" ");
  return `/*M!100300 SET STATEMENT innodb_lock_wait_timeout = 0 FOR */ DELETE gone
    FROM (SELECT ${key} FROM ${table} WHERE FALSE ${named}) named
    STRAIGHT_JOIN ${table} gone FORCE INDEX (PRIMARY) ON gone.${key} = named.${key}`;
}
