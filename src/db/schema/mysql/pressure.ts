// How hard the server works, as a reason for work on many rows to wait: statements at once, how full the redo log is, and whether a cluster
// holds its writers back. When the log is full, InnoDB stops every writer until pages are written out (seen: 150 to 270 ms every few
// seconds of a migration).
import { isServiceError } from "../../../core/errors.ts";
import type { Queryable, Row } from "../../database.ts";

/** Of what the log takes. A healthy InnoDB lets it stand at 7/8 for hours; beyond, it does not keep up with us. */
const logPartMax = 0.95;
/** Of the time since the last look, that a Galera cluster spent waiting for its slowest node. */
const flowControlPartMax = 0.1;

const names = ["Threads_running", "Innodb_checkpoint_age", "Innodb_checkpoint_max_age", "wsrep_flow_control_paused_ns"];
const statusSql = `SHOW GLOBAL STATUS WHERE Variable_name IN (${names.map((name) => `'${name}'`).join(", ")})`;

/** Asks anew at each call: why to wait, or null. MySQL does not tell the age of its log in these terms. */
export function pressureReader(db: Queryable): (limits: { threadsRunningMax: number }) => Promise<string | null> {
  let pausedNs: number | undefined;
  let atMs = performance.now();
  return async ({ threadsRunningMax }) => {
    const rows = await db.query<{ Variable_name: string; Value: string }>(statusSql);
    const values = new Map(rows.map((row) => [row.Variable_name.toLowerCase(), Number(row.Value)]));
    const [before, sinceMs] = [pausedNs, performance.now() - atMs];
    pausedNs = values.get("wsrep_flow_control_paused_ns");
    atMs = performance.now();
    const threads = values.get("threads_running") ?? 0;
    if (threads > threadsRunningMax)
      return `the server runs ${threads} statements at once (limit ${threadsRunningMax})`;
    const capacity = values.get("innodb_checkpoint_max_age") ?? 0;
    const part = capacity > 0 ? (values.get("innodb_checkpoint_age") ?? 0) / capacity : 0;
    if (part > logPartMax) return `the server's redo log is ${Math.round(part * 100)} % full`;
    const heldMs = ((pausedNs ?? 0) - (before ?? pausedNs ?? 0)) / 1e6;
    if (heldMs > sinceMs * flowControlPartMax) return "a node of the cluster does not keep up (flow control)";
    return null;
  };
}

/** MySQL 8.0.22 and MariaDB 10.5 know the first, all before 8.4 the second. */
const replicaStatements = ["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"];

/** Seconds behind; null where it is no replica or its threads stand still. Throws db errors, such as db.access_denied. */
export async function readReplicaLag(replica: Queryable): Promise<number | null> {
  const row = await replicaStatus(replica);
  const seconds = row?.Seconds_Behind_Source ?? row?.Seconds_Behind_Master ?? null;
  return seconds === null ? null : Number(seconds);
}

async function replicaStatus(replica: Queryable): Promise<Row | undefined> {
  let refused: unknown;
  for (const sql of replicaStatements)
    try {
      return (await replica.query(sql))[0];
    } catch (error) {
      // Not understood by this server. Everything else, such as a missing privilege, is for the caller.
      if (!isServiceError(error, "db.statement_failed")) throw error;
      refused = error;
    }
  throw refused;
}
