// Runs one data migration in batches: keys first, then one short transaction per batch that carries its own checkpoint, so that a
// kill loses nothing and repeats nothing. The batch grows and shrinks until its transaction takes the target time.
import { systemClock } from "../../core/clock.ts";
import { ServiceError } from "../../core/errors.ts";
import type { ReleaseId } from "../../releases/catalogue.ts";
import { batchDialectOf } from "./batch-dialect.ts";
import type { EngineRun } from "./engine-run.ts";
import { ProgressReport } from "./progress-report.ts";
import type { Backfill, ProgressStore } from "./step.ts";
import { Throttle } from "./throttle.ts";

export type BackfillLimits = {
  /** What one batch's transaction should take. */
  readonly targetMs: number;
  readonly batchRowsMin: number;
  readonly batchRowsMax: number;
  /** Where the size starts from. */
  readonly batchRows: number;
  /** Stop after this many rows, or this long; running again goes on. */
  readonly rowsMax: number;
  readonly secondsMax: number;
  /** While the server runs more statements than this at once, the migration waits. */
  readonly threadsRunningMax: number;
};

export const defaultBackfillLimits: BackfillLimits = {
  targetMs: 50,
  batchRowsMin: 10,
  batchRowsMax: 2_000,
  batchRows: 200,
  rowsMax: Number.POSITIVE_INFINITY,
  secondsMax: Number.POSITIVE_INFINITY,
  threadsRunningMax: 24,
};

export type BackfillResult = { readonly rows: number; readonly complete: boolean };

/** Migrates what is pending, within the limits. Throws schema.blocked where other sessions keep rows locked for the lock budget. */
export async function runBackfill(
  run: EngineRun,
  release: ReleaseId,
  backfill: Backfill,
  progress: ProgressStore,
  limits: BackfillLimits,
): Promise<BackfillResult> {
  const dialect = await batchDialectOf(run.db);
  const stored = await progress.find(backfill.name);
  const total = await backfill.pending(run.db, Number.MAX_SAFE_INTEGER, progress);
  const report = new ProgressReport(run, { phase: "migrate", release, step: backfill.name, rowsTotal: total });
  const startMs = performance.now();
  const throttle = new Throttle(() => dialect.pressure(limits.threadsRunningMax));
  let cursor = stored && !stored.finished ? (stored.cursor ?? "") : "";
  let batchRows = limits.batchRows;
  let rows = 0;
  let stuckMs = 0;
  let rowsInRound = 0;
  for (;;) {
    run.signal.throwIfAborted();
    if (rows >= limits.rowsMax || performance.now() - startMs >= limits.secondsMax * 1_000)
      return report.end(rows, { rows, complete: (await backfill.pending(run.db, 1, progress)) === 0 });
    const keys = await backfill.nextKeys(run.db, cursor, Math.min(batchRows, limits.rowsMax - rows), run.db.dialect);
    if (keys.length === 0) {
      if ((await backfill.pending(run.db, 1, progress)) === 0) break;
      // Once more from the start: rows that others held were left out, and a resumed run begins in the middle.
      if (cursor !== "" && rowsInRound === 0) stuckMs += await waitForRows(run, backfill, stuckMs);
      cursor = "";
      rowsInRound = 0;
      continue;
    }
    await throttle.wait((why) => report.tell(rows, batchRows, why), run.signal);
    const batchStartMs = performance.now();
    const last = keys.at(-1) ?? "";
    const changed = await run.db.transaction(async (tx) => {
      const { lockFreeRows } = await dialect.begin(tx);
      const count = await backfill.apply(tx, keys, { dialect: run.db.dialect, lockFreeRows });
      const rowsDone = (stored?.rowsDone ?? 0) + rows + count;
      await progress.save(backfill.name, { cursor: last, rowsDone, finished: false }, tx);
      return count;
    });
    const tookMs = performance.now() - batchStartMs;
    cursor = last;
    rows += changed;
    rowsInRound += changed;
    if (changed > 0) stuckMs = 0;
    report.tell(rows, batchRows);
    batchRows = nextBatchRows(keys.length, tookMs, batchRows, limits);
    // SQLite has one writer: without a pause the others would hardly find a gap.
    if (dialect.pauseRatio > 0) await systemClock.sleep(Math.max(5, tookMs * dialect.pauseRatio), run.signal);
  }
  await finish(backfill, progress, (stored?.rowsDone ?? 0) + rows);
  return report.end(rows, { rows, complete: true });
}

/** Never more than double at a time, and at once down where a batch took too long. A batch cut short by the end teaches nothing. */
export function nextBatchRows(rowsDone: number, tookMs: number, batchRows: number, limits: BackfillLimits): number {
  if (rowsDone < batchRows && tookMs <= limits.targetMs) return batchRows;
  const ideal = (rowsDone * limits.targetMs) / Math.max(tookMs, 1);
  return Math.round(Math.min(Math.max(ideal, limits.batchRowsMin), batchRows * 2, limits.batchRowsMax));
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
