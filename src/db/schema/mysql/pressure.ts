// How hard the server works, as a reason for work on many rows to wait. The age of the redo log is no such reason, though a full log
// stops every writer: a healthy InnoDB lets it stand just below that point for hours.
import type { Queryable } from "../../database.ts";

/** Why to wait, or null. */
export async function readPressure(db: Queryable, threadsRunningMax: number): Promise<string | null> {
  const [row] = await db.query<{ Value: string }>("SHOW GLOBAL STATUS LIKE 'Threads_running'");
  const threads = Number(row?.Value ?? 0);
  return threads > threadsRunningMax
    ? `the server runs ${threads} statements at once (limit ${threadsRunningMax})`
    : null;
}
