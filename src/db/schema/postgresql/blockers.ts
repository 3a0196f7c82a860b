// Who holds up a schema change, as pg_locks and pg_stat_activity tell. Who holds a lock is shown to everybody; what he does, since when
// and from where only to his own role and to members of pg_read_all_stats.
import type { Queryable, SqlValue } from "../../database.ts";
import { type Blocker, idleInTransaction, running } from "../blocker.ts";
import { conflictingModes, type LockMode } from "./ddl-class.ts";

type Row = {
  pid: number | null;
  gid: string | null;
  user: string | null;
  host: string | null;
  seconds: number | null;
  state: string | null;
  query: string | null;
  kind: string | null;
  /** Tells one transaction from the next of the same backend. */
  tx: string | null;
};

/** A backend that vacuums by the server's own will, and gives way to whoever waits for long enough. */
export type PostgresqlBlocker = Blocker & { readonly isAutovacuum: boolean };

/** `since`: further columns that may tell when it began. */
const activity = (user: string, since = "a.query_start") =>
  `${user} AS "user", COALESCE(host(a.client_addr), CASE WHEN a.client_port = -1 THEN 'local' END) AS host,
   EXTRACT(EPOCH FROM clock_timestamp() - COALESCE(a.xact_start, ${since}))::float8 AS seconds,
   a.state, a.query, a.backend_type AS kind`;

const hidden = "<insufficient privilege>";

export class BlockerWatch {
  readonly #db: Queryable;
  /** When a transaction was seen first: all that is known of the age of one that we may not look at. */
  readonly #seenMs = new Map<string, number>();

  /** Asks on a session that itself runs none of the statements in question. */
  constructor(db: Queryable) {
    this.#db = db;
  }

  /** Transactions, prepared ones too, that hold the table so that a request for `mode` waits; oldest first. */
  async holders(table: string, mode: LockMode, exceptIds: readonly (number | null)[]): Promise<PostgresqlBlocker[]> {
    return this.#query(
      `SELECT l.pid, p.gid, l.virtualtransaction AS tx, ${activity("COALESCE(a.usename, p.owner)", "a.query_start, p.prepared")}
       FROM pg_locks l
       LEFT JOIN pg_stat_activity a ON a.pid = l.pid
       LEFT JOIN (pg_locks x JOIN pg_prepared_xacts p ON p.transaction = x.transactionid)
         ON l.pid IS NULL AND x.pid IS NULL AND x.virtualtransaction = l.virtualtransaction
       WHERE l.locktype = 'relation' AND l.granted AND l.relation = to_regclass(?)
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND l.mode IN (${conflictingModes[mode].map((one) => `'${one}'`).join(", ")})`,
      [table],
      exceptIds,
    );
  }

  /** Transactions of this database that look at the rows as they were some time ago: the end of an index build waits for each. */
  async snapshots(exceptIds: readonly (number | null)[]): Promise<PostgresqlBlocker[]> {
    return this.#query(
      `SELECT a.pid, NULL AS gid, NULL AS tx, ${activity("a.usename")} FROM pg_stat_activity a
       WHERE a.datname = current_database() AND a.backend_xmin IS NOT NULL AND a.backend_type = 'client backend'`,
      [],
      exceptIds,
    );
  }

  /** All open transactions of this database. */
  async openTransactions(exceptIds: readonly (number | null)[]): Promise<PostgresqlBlocker[]> {
    return this.#query(
      `SELECT a.pid, NULL AS gid, NULL AS tx, ${activity("a.usename")} FROM pg_stat_activity a
       WHERE a.datname = current_database() AND a.xact_start IS NOT NULL AND a.backend_type = 'client backend'`,
      [],
      exceptIds,
    );
  }

  /** Whom this backend waits for at this moment. */
  async blockersOf(pid: number): Promise<PostgresqlBlocker[]> {
    const rows = await this.#query(
      `SELECT b.pid, NULL AS gid, NULL AS tx, ${activity("a.usename")}
       FROM (SELECT DISTINCT unnest(pg_blocking_pids(${pid})) AS pid) b LEFT JOIN pg_stat_activity a ON a.pid = b.pid`,
      [],
      [],
    );
    return rows.map((row) =>
      // They have no process; which one it is, the server does not say here.
      row.id === 0 ? { ...row, kind: "prepared transaction", id: "of pg_prepared_xacts" } : row,
    );
  }

  async #query(
    sql: string,
    params: readonly SqlValue[],
    exceptIds: readonly (number | null)[],
  ): Promise<PostgresqlBlocker[]> {
    const rows = (await this.#db.query<Row>(sql, params)).filter(
      (row) => row.pid === null || !exceptIds.includes(row.pid),
    );
    const unique = new Map(rows.map((row) => [row.gid ?? row.pid, row]));
    return [...unique.values()].map((row) => this.#blockerOf(row)).sort((one, other) => other.seconds - one.seconds);
  }

  #blockerOf(row: Row): PostgresqlBlocker {
    const isHidden = row.query === hidden;
    return {
      kind: row.gid === null ? "process" : "prepared transaction",
      id: row.gid ?? row.pid ?? 0,
      user: row.user ?? "the server",
      host: row.host ?? (isHidden ? "a host we may not see" : "local"),
      seconds: Math.max(0, row.seconds ?? this.#secondsSeen(`${row.pid} ${row.tx}`)),
      doing: doingOf(row, isHidden),
      // Where its kind is hidden, too: of all who lock tables it alone belongs to no user.
      isAutovacuum: row.kind === "autovacuum worker" || (row.kind === null && row.user === null && row.gid === null),
    };
  }

  #secondsSeen(key: string): number {
    const nowMs = performance.now();
    const firstMs = this.#seenMs.get(key) ?? nowMs;
    this.#seenMs.set(key, firstMs);
    return (nowMs - firstMs) / 1_000;
  }
}

function doingOf({ gid, state, query }: Row, isHidden: boolean): string {
  if (gid !== null) return "waits for COMMIT PREPARED or ROLLBACK PREPARED";
  if (isHidden) return "its statement is shown to pg_read_all_stats only";
  if (state?.startsWith("idle in transaction")) return idleInTransaction;
  return query ? running(query) : "at work";
}
