// What the batches of a data migration need of PostgreSQL: limits on what they may wait for, and how busy the server is.
import type { Queryable } from "../../database.ts";

/** Rows that others hold are left out, so only a schema change can be waited for; after this the batch is given up and made again. */
const lockMsMax = 1_000;

/** For the transaction alone. What a statement may take is limited for every connection of the pool. */
export async function limitBatch(tx: Queryable): Promise<void> {
  await tx.run(`SET LOCAL lock_timeout = ${lockMsMax}`);
}

/**
 * Why to wait, or null. Counts backends that work on a statement, those that wait for a lock included: they are the ones that pile up.
 * Of other roles only members of pg_read_all_stats see who works, so without it the nodes' own role is all that counts.
 */
export async function readPressure(db: Queryable, threadsRunningMax: number): Promise<string | null> {
  const [row] = await db.query<{ n: number }>(
    `SELECT COUNT(*) AS n FROM pg_stat_activity
     WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()`,
  );
  const backends = Number(row?.n ?? 0);
  return backends > threadsRunningMax
    ? `the server runs ${backends} statements at once (limit ${threadsRunningMax})`
    : null;
}
