// Removes rows of one table that were marked as deleted long ago: the oldest ones up to a limit, in batches of short transactions in
// the order of their keys. A kill loses nothing but the rest; two walks at once share the work.
import { systemClock } from "../../core/clock.ts";
import type { Database, SqlCondition, SqlValue } from "../database.ts";
import { type BackfillLimits, defaultBackfillLimits, nextBatchRows } from "../schema/backfill-limits.ts";
import { type BatchDialect, batchDialectOf } from "../schema/batch-dialect.ts";
import type { EngineOptions } from "../schema/engine-run.ts";
import { ProgressReport } from "../schema/progress-report.ts";
import { Throttle } from "../schema/throttle.ts";
import { deleteByKey } from "./delete-rows.ts";

/**
 * Smaller than those of a data migration, which is waited for: on MySQL the foreign keys of a deleted row lock the gap where its children
 * would stand, and with it the children of its neighbours, until the batch ends.
 */
const purgeLimits: BackfillLimits = { ...defaultBackfillLimits, targetMs: 20, batchRows: 50, batchRowsMax: 500 };

export type PurgeTable = {
  readonly table: string;
  /** Of the primary key's one column, `id`: sorts before every one. */
  readonly idBefore: SqlValue;
  /** An SQL condition on the row, called `t`: what has to stay although it is old, for the sake of something else. */
  readonly staysWhere?: string;
  /** Rows that name a row of this table and have no life of their own: they go with it. Their primary key is `key`. */
  readonly dependent?: { readonly table: string; readonly key: string };
};

export type PurgeOptions = Pick<EngineOptions, "db" | "target" | "on" | "signal"> & {
  /** Rows marked as deleted longer ago than this, by the database's clock. */
  readonly ageDays: number;
  /** Of each table; Infinity: all. */
  readonly rowsMax: number;
};

export type Purged = { readonly table: string; readonly rows: number };

/** The time before which rows are old, as a datetime column holds it. */
export async function readCutoff(db: Database, ageDays: number): Promise<string> {
  const sql = `SELECT ${db.dialect.nowPlusSecondsSql} AS cutoff`;
  const [row] = await db.query<{ cutoff: string }>(sql, [-ageDays * 86_400]);
  return String(row?.cutoff);
}

/** Old rows that nothing speaks for. `deleted` counts, and not `deleted_at` alone, which a row that came back to life keeps. */
export function purgeable({ staysWhere }: PurgeTable, cutoff: string): SqlCondition {
  const stays = staysWhere === undefined ? "" : ` AND NOT (${staysWhere})`;
  return { sql: `t.deleted = TRUE AND t.deleted_at < ?${stays}`, params: [cutoff] };
}

/** Returns what went, dependents last. Rows that others hold locked are left for the next run, where the server can tell. */
export async function purgeTable(options: PurgeOptions, subject: PurgeTable, cutoff: string): Promise<Purged[]> {
  const { db, signal, on = () => undefined } = options;
  const batches = await batchDialectOf(db);
  const limits = purgeLimits;
  const throttle = new Throttle(() => batches.pressure(limits));
  const { condition, rowsTotal } = await selection(db, subject, cutoff, options.rowsMax);
  const purged = (rows: number, dependents: number) => [
    { table: subject.table, rows },
    ...(subject.dependent ? [{ table: subject.dependent.table, rows: dependents }] : []),
  ];
  if (rowsTotal === 0) return purged(0, 0);
  const report = new ProgressReport(
    { on },
    { phase: "purge", release: options.target.id, step: subject.table, rowsTotal },
  );
  let id = subject.idBefore;
  let { batchRows } = limits;
  let rows = 0;
  let dependents = 0;
  while (rows < rowsTotal) {
    signal?.throwIfAborted();
    const ids = await nextIds(db, subject, condition, id, Math.min(batchRows, rowsTotal - rows));
    const last = ids.at(-1);
    if (last === undefined) break;
    await throttle.wait((why) => report.tell(rows, batchRows, why), signal);
    const startMs = performance.now();
    const gone = await purgeBatch(db, batches, subject, condition, ids);
    const tookMs = performance.now() - startMs;
    id = last;
    rows += gone.rows;
    dependents += gone.dependents;
    report.tell(rows, batchRows);
    batchRows = nextBatchRows(ids.length, tookMs, batchRows, limits);
    if (batches.pauseRatio > 0) await systemClock.sleep(Math.max(5, tookMs * batches.pauseRatio), signal);
  }
  return report.end(rows, purged(rows, dependents));
}

/** Which rows: all of them, or the oldest so many, told from the rest by the youngest of these. */
async function selection(
  db: Database,
  subject: PurgeTable,
  cutoff: string,
  rowsMax: number,
): Promise<{ condition: SqlCondition; rowsTotal: number }> {
  const condition = purgeable(subject, cutoff);
  const from = `FROM ${subject.table} t WHERE ${condition.sql}`;
  const [counted] = await db.query<{ n: unknown }>(`SELECT COUNT(*) AS n ${from}`, condition.params);
  const count = Number(counted?.n ?? 0);
  if (count <= rowsMax || rowsMax === 0) return { condition, rowsTotal: Math.min(count, rowsMax) };
  const [youngest] = await db.query<{ deleted_at: string; id: string | number }>(
    `SELECT t.deleted_at AS deleted_at, t.id AS id ${from} ORDER BY t.deleted_at, t.id LIMIT 1 OFFSET ${rowsMax - 1}`,
    condition.params,
  );
  // Another purge was here in between.
  if (!youngest) return { condition, rowsTotal: rowsMax };
  return {
    condition: {
      sql: `${condition.sql} AND (t.deleted_at < ? OR (t.deleted_at = ? AND t.id <= ?))`,
      params: [...condition.params, youngest.deleted_at, youngest.deleted_at, youngest.id],
    },
    rowsTotal: rowsMax,
  };
}

async function nextIds(
  db: Database,
  { table }: PurgeTable,
  condition: SqlCondition,
  after: SqlValue,
  rowsMax: number,
): Promise<readonly (string | number)[]> {
  const rows = await db.query<{ id: string | number }>(
    `SELECT t.id AS id FROM ${table} t WHERE t.id > ? AND ${condition.sql} ORDER BY t.id LIMIT ${rowsMax}`,
    [after, ...condition.params],
  );
  return rows.map((row) => row.id);
}

/** The condition is asked again of the locked rows: one may have come back to life, or got something that speaks for it. */
function purgeBatch(
  db: Database,
  batches: BatchDialect,
  { table, dependent }: PurgeTable,
  condition: SqlCondition,
  ids: readonly (string | number)[],
): Promise<{ rows: number; dependents: number }> {
  const { dialect } = db;
  return db.transaction(async (tx) => {
    const { lockFreeRows } = await batches.begin(tx, null);
    const locked = await tx.query<{ id: string | number }>(
      `SELECT t.id AS id FROM ${table} t${dialect.byPrimaryKey} WHERE t.id IN (${ids.map(() => "?").join(", ")}) AND ${condition.sql}
       ORDER BY t.id ${lockFreeRows}`,
      [...ids, ...condition.params],
    );
    const keys = locked.map((row) => row.id);
    const dependents = dependent ? await deleteByKey(tx, dialect, dependent, keys) : 0;
    return { rows: await deleteByKey(tx, dialect, { table, key: "id" }, keys), dependents };
  });
}
