// How hard the server works, as a reason for work on many rows to wait: statements at once, and how full the redo log is. When the log
// is full, InnoDB stops every writer until pages are written out (seen: 150 to 270 ms every few seconds of a migration).
import type { Queryable } from "../../database.ts";

/** Of what the log takes. A healthy InnoDB lets it stand at 7/8 for hours; beyond, it does not keep up with us. */
const logPartMax = 0.95;

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
