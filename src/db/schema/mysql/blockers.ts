// Who holds up a schema change: transactions that have been open for long, and, where the server tells, who holds the table's
// metadata lock. All of it is advice: a server that refuses to tell (no PROCESS privilege) costs politeness, not safety.
import type { Queryable } from "../../database.ts";
import { type Blocker, idleInTransaction, running } from "../blocker.ts";

type Row = { id: number; user: string; host: string; seconds: number | null; info: string | null };

const blockerOf = (row: Row): Blocker => ({
  kind: "thread",
  id: Number(row.id),
  user: row.user,
  host: row.host,
  seconds: Number(row.seconds ?? 0),
  doing: row.info === null ? idleInTransaction : running(row.info),
});

// trx_started is in the server's own time zone, NOW() in the session's.
const age = "TIMESTAMPDIFF(SECOND, t.trx_started, CONVERT_TZ(NOW(), @@session.time_zone, 'SYSTEM'))";

/**
 * Transactions of this database that are open for `seconds` or more, oldest first, ours (`exceptIds`) left out; null where the server
 * does not tell. Those of connections in other databases are left out: they can hardly hold a lock here.
 */
export async function longTransactions(
  db: Queryable,
  seconds: number,
  exceptIds: readonly (number | null)[],
): Promise<readonly Blocker[] | null> {
  try {
    const rows = await db.query<Row>(
      `SELECT p.id AS id, p.user AS user, p.host AS host, ${age} AS seconds, p.info AS info
       FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
       WHERE (p.db = DATABASE() OR p.db IS NULL) AND ${age} >= ${seconds} ORDER BY 4 DESC`,
    );
    return rows.map(blockerOf).filter((blocker) => !exceptIds.includes(Number(blocker.id)));
  } catch {
    return null; // No PROCESS privilege.
  }
}

const holderQueries = [
  // MariaDB's plugin metadata_lock_info, where it is installed.
  `SELECT DISTINCT p.id AS id, p.user AS user, p.host AS host, p.time AS seconds, p.info AS info
   FROM information_schema.metadata_lock_info m JOIN information_schema.processlist p ON p.id = m.thread_id
   WHERE m.table_schema = DATABASE() AND m.table_name = ?`,
  // MySQL 8, and servers whose performance schema watches metadata locks.
  `SELECT DISTINCT p.id AS id, p.user AS user, p.host AS host, p.time AS seconds, p.info AS info
   FROM performance_schema.metadata_locks m JOIN performance_schema.threads h ON h.thread_id = m.owner_thread_id
   JOIN information_schema.processlist p ON p.id = h.processlist_id
   WHERE m.object_schema = DATABASE() AND m.object_name = ? AND m.lock_status = 'GRANTED'`,
];

/** Who holds a metadata lock on the table; empty where nobody does or the server cannot say. */
export async function lockHolders(
  db: Queryable,
  table: string,
  exceptIds: readonly (number | null)[],
): Promise<readonly Blocker[]> {
  for (const sql of holderQueries) {
    const rows = await db.query<Row>(sql, [table]).catch(() => []); // Not installed, or not ours to see.
    const holders = rows.map(blockerOf).filter((blocker) => !exceptIds.includes(Number(blocker.id)));
    if (holders.length > 0) return holders;
  }
  return [];
}
