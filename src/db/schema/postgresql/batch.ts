// What the batches of a data migration need of PostgreSQL: limits on what they may wait for, and how busy the server is.
import type { Queryable } from "../../database.ts";
import { sqlStateOf } from "../driver-error.ts";

type PressureLimits = { readonly threadsRunningMax: number; readonly replicaLagSecondsMax: number };

/** Rows that others hold are left out, so only a schema change can be waited for; after this the batch is given up and made again. */
const lockMsMax = 1_000;

/** For the transaction alone. What a statement may take is limited for every connection of the pool. */
export async function limitBatch(tx: Queryable, statementMsMax: number | null): Promise<void> {
  await tx.run(`SET LOCAL lock_timeout = ${lockMsMax}`);
  if (statementMsMax !== null) await tx.run(`SET LOCAL statement_timeout = ${Math.ceil(statementMsMax)}`);
}

/** By statement_timeout. */
export function tookTooLong(error: unknown): boolean {
  return sqlStateOf(error) === "57014";
}

/**
 * Why to wait, or null. Counts backends that work on a statement, those that wait for a lock included: they are the ones that pile up.
 * Of other roles only members of pg_read_all_stats see who works, so without it the nodes' own role is all that counts.
 */
export async function readPressure(db: Queryable, limits: PressureLimits): Promise<string | null> {
  const [row] = await db.query<{ n: number }>(
    `SELECT COUNT(*) AS n FROM pg_stat_activity
     WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()`,
  );
  const backends = Number(row?.n ?? 0);
  if (backends > limits.threadsRunningMax)
    return `the server runs ${backends} statements at once (limit ${limits.threadsRunningMax})`;
  return standbyBehind(db, limits);
}

/** The primary knows how far its standbys are, if it may tell: without pg_read_all_stats the columns are empty. */
async function standbyBehind(db: Queryable, { replicaLagSecondsMax }: PressureLimits): Promise<string | null> {
  const [standby] = await db.query<{ name: string; s: unknown }>(
    `SELECT application_name AS name, EXTRACT(EPOCH FROM replay_lag) AS s FROM pg_stat_replication
     WHERE replay_lag IS NOT NULL ORDER BY replay_lag DESC LIMIT 1`,
  );
  const seconds = Number(standby?.s ?? 0);
  if (seconds <= replicaLagSecondsMax) return null;
  return `standby ${standby?.name} is ${Math.round(seconds)} s behind (limit ${replicaLagSecondsMax})`;
}

/** Seconds behind; null where it is no standby. One that has replayed all it received is not behind, however long ago that was. */
export async function readReplicaLag(replica: Queryable): Promise<number | null> {
  const [row] = await replica.query<{ standby: boolean; s: unknown }>(
    `SELECT pg_is_in_recovery() AS standby, CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
       ELSE EXTRACT(EPOCH FROM now() - pg_last_xact_replay_timestamp()) END AS s`,
  );
  return row?.standby ? Number(row.s ?? 0) : null;
}
