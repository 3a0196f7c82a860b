// Runs one data migration in batches: a page of the key first, then one short transaction per batch that carries its own checkpoint, so
// that a kill loses nothing and repeats nothing. The batch grows and shrinks until its transaction takes the target time.
import { systemClock } from "../../core/clock.ts";
import { ServiceError } from "../../core/errors.ts";
import type { ReleaseId } from "../../releases/catalogue.ts";
import { type BackfillLimits, nextBatchRows } from "./backfill-limits.ts";
import { batchDialectOf } from "./batch-dialect.ts";
import type { EngineRun } from "./engine-run.ts";
import { Pace, type Replica } from "./pace.ts";
import { ProgressReport } from "./progress-report.ts";
import type { Backfill, ProgressStore } from "./step.ts";
import { estimatedTotal } from "./table-rows.ts";

/**
 * A statement that takes this many times what a batch should is given up, and done again in smaller parts: after a checkpoint of PostgreSQL
 * the same rows take several times as long, and whoever updates one of them waits for the whole batch. The smallest batch takes its time.
 */
const patience = 3;
const rowsCountedMax = 100_000;

export type BackfillResult = { readonly rows: number; readonly complete: boolean };

/**
 * Migrates what is pending, within the limits. Throws schema.blocked where other sessions keep rows locked for the lock budget, and
 * schema.newer_progress.
 */
export async function runBackfill(
  run: EngineRun,
  release: ReleaseId,
  backfill: Backfill,
  progress: ProgressStore,
  given: BackfillLimits,
  replicas: readonly Replica[] = [],
): Promise<BackfillResult> {
  const dialect = await batchDialectOf(run.db);
  const stored = await progress.find(backfill.name);
  const all = await totalOf(run, backfill, progress, stored?.finished === false ? stored.rowsDone : 0);
  const report = new ProgressReport(run, { phase: "migrate", release, step: backfill.name, ...all });
  const endMs = performance.now() + given.secondsMax * 1_000;
  const pace = new Pace(run.db, given, { dialect, progress, replicas });
  let cursor = stored && !stored.finished ? (stored.cursor ?? "") : "";
  let batchRows = given.batchRows;
  let rows = 0;
  let stuckMs = 0;
  let rowsInRound = 0;
  for (;;) {
    run.signal.throwIfAborted();
    await pace.wait((why) => report.tell(rows, batchRows, why), run.signal, endMs);
    if (rows >= given.rowsMax || performance.now() >= endMs)
      return report.end(rows, { rows, complete: (await backfill.pending(run.db, 1, progress)) === 0 });
    const rowsMax = Math.min(batchRows, given.rowsMax - rows);
    const batch = await backfill.nextBatch(run.db, cursor, rowsMax, run.db.dialect);
    if (batch === null) {
      if ((await backfill.pending(run.db, 1, progress)) === 0) break;
      // Once more from the start: rows that others held were left out, and a resumed run begins in the middle.
      if (cursor !== "" && rowsInRound === 0) stuckMs += await waitForRows(run, backfill, stuckMs);
      cursor = "";
      rowsInRound = 0;
      continue;
    }
    const batchStartMs = performance.now();
    const statementMsMax = batch.rows > pace.limits.batchRowsMin ? pace.limits.targetMs * patience : null;
    let changed: number;
    try {
      changed = await run.db.transaction(async (tx) => {
        const { lockFreeRows } = await dialect.begin(tx, statementMsMax);
        const count = await batch.apply(tx, { dialect: run.db.dialect, lockFreeRows });
        const rowsDone = (stored?.rowsDone ?? 0) + rows + count;
        await progress.save(backfill.name, { cursor: batch.last, rowsDone, finished: false }, tx);
        return count;
      });
    } catch (error) {
      if (!dialect.tookTooLong(error)) throw error;
      batchRows = Math.max(pace.limits.batchRowsMin, Math.floor(batch.rows / 4));
      report.tell(rows, batchRows, `a batch of ${batch.rows} rows took too long and was given up`);
      continue;
    }
    const tookMs = performance.now() - batchStartMs;
    cursor = batch.last;
    rows += changed;
    rowsInRound += changed;
    if (changed > 0) stuckMs = 0;
    report.tell(rows, batchRows);
    batchRows = nextBatchRows(batch.rows, tookMs, batchRows, pace.limits);
    // SQLite has one writer: without a pause the others would hardly find a gap.
    if (dialect.pauseRatio > 0) await systemClock.sleep(Math.max(5, tookMs * dialect.pauseRatio), run.signal);
  }
  await finish(backfill, progress, (stored?.rowsDone ?? 0) + rows);
  return report.endComplete(rows, { rows, complete: true });
}

/** Few rows are counted. Many would keep the first batch waiting (ten million for half a minute), and nobody would see why. */
async function totalOf(run: EngineRun, backfill: Backfill, progress: ProgressStore, rowsDoneBefore: number) {
  const counted = await backfill.pending(run.db, rowsCountedMax, progress);
  if (counted < rowsCountedMax) return { rowsTotal: counted };
  const { rowsTotal, ...estimated } = await estimatedTotal(run.db, backfill.table);
  return { rowsTotal: Math.max(counted, (rowsTotal ?? 0) - rowsDoneBefore), ...estimated };
}

async function finish(backfill: Backfill, progress: ProgressStore, rowsDone: number): Promise<void> {
  const row = await progress.find(backfill.name);
  // What runs only once is noted as done where expand noted it as due; elsewhere it may become due again.
  if (backfill.once && !row) return;
  if (!row?.finished) await progress.save(backfill.name, { cursor: null, rowsDone, finished: true });
}

async function waitForRows(run: EngineRun, backfill: Backfill, stuckMs: number): Promise<number> {
  const pauseMs = 200;
  const budgetMs = run.limits.lockBudgetMs ?? 60_000;
  if (stuckMs > budgetMs)
    throw new ServiceError(
      "schema.blocked",
      `${backfill.name}: other sessions have kept the last rows of ${backfill.table} locked for ${Math.round(stuckMs / 1_000)} s; ` +
        "end their transactions and run the same command again",
      { facts: { step: backfill.name, table: backfill.table } },
    );
  await systemClock.sleep(pauseMs, run.signal);
  return pauseMs;
}
