// How hard the server works, as a reason for work on many rows to wait: statements at once, and how full the redo log is. When the log
// is full, InnoDB stops every writer until it has written pages out.
import type { Queryable } from "../../database.ts";

/** Of the log's capacity; from 0.875 on InnoDB flushes at the cost of everybody. */
const logPartMax = 0.75;

/** Why to wait, or null. MySQL does not tell the age of its log in these terms. */
export async function readPressure(db: Queryable, threadsRunningMax: number): Promise<string | null> {
  const rows = await db.query<{ Variable_name: string; Value: string }>(
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_running', 'Innodb_checkpoint_age', 'Innodb_checkpoint_max_age')",
  );
  const values = new Map(rows.map((row) => [row.Variable_name.toLowerCase(), Number(row.Value)]));
  const threads = values.get("threads_running") ?? 0;
  if (threads > threadsRunningMax) return `the server runs ${threads} statements at once (limit ${threadsRunningMax})`;
  const capacity = values.get("innodb_checkpoint_max_age") ?? 0;
  const part = capacity > 0 ? (values.get("innodb_checkpoint_age") ?? 0) / capacity : 0;
  return part > logPartMax ? `the server's redo log is ${Math.round(part * 100)} % full` : null;
}
