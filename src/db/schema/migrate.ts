// The second phase: every pending data migration up to the target release, not only the newest one's.
import { ServiceError } from "../../core/errors.ts";
import { stepsOf } from "../releases/steps.ts";
import { type BackfillLimits, defaultBackfillLimits } from "./backfill-limits.ts";
import { runBackfill } from "./backfill-runner.ts";
import { type EngineOptions, type EngineRun, withEngineLock } from "./engine-run.ts";
import { forgetLimits } from "./migrate-controls.ts";
import { indexSteps } from "./own-indexes.ts";
import type { Replica } from "./pace.ts";
import { preflight } from "./preflight.ts";
import { DatabaseProgress } from "./progress-store.ts";
import { readStanding, refuseOlderTarget, type Standing } from "./revisions.ts";
import { runSteps } from "./run-steps.ts";
import { readLiveSchema, refreshStatistics, withExecutor } from "./schema-tools.ts";
import { openReleases } from "./standing-facts.ts";
import type { ProgressStore } from "./step.ts";

export type MigrateResult = {
  /** `finished`: the target's contract is done. */
  readonly outcome: "migrated" | "up_to_date" | "finished";
  readonly rows: number;
  /** False where a limit of rows or time ended the run first. */
  readonly complete: boolean;
};

export type MigrateOptions = {
  readonly backfill?: Partial<BackfillLimits>;
  /** Servers that copy this one, whose lag holds the migration back. */
  readonly replicas?: readonly Replica[];
};

/**
 * Migrates data. Throws schema.out_of_order where expand is due, schema.preflight_failed (a server that takes no changes), schema.blocked,
 * schema.locked, schema.newer_progress.
 */
export function migrate(options: EngineOptions & MigrateOptions): Promise<MigrateResult> {
  return withEngineLock(options, async (run) => {
    await preflight(run, "migrate");
    return migrateUnderLock(run, options);
  });
}

export async function migrateUnderLock(
  run: EngineRun,
  { backfill: given = {}, replicas = [] }: MigrateOptions = {},
): Promise<MigrateResult> {
  const standing = await readStanding(run.db, await readLiveSchema(run.db));
  refuseOlderTarget(standing, run.target);
  if (standing.contractLevel >= run.target.level) return { outcome: "finished", rows: 0, complete: true };
  requireExpanded(run, standing, "Data migration did not run. Data migration");
  const progress = await DatabaseProgress.open(run.db);
  await forgetLimits(progress);
  const limits = { ...defaultBackfillLimits, ...given };
  const startMs = performance.now();
  let rows = 0;
  let complete = true;
  const worked: string[] = [];
  for (const release of openReleases(standing, run.target))
    for (const backfill of stepsOf(release.id).migrate) {
      const due = (await backfill.pending(run.db, 1, progress)) > 0;
      if (!due && !(await isUnfinished(progress, backfill.name))) continue;
      if (due) worked.push(backfill.table);
      const secondsMax = limits.secondsMax - (performance.now() - startMs) / 1_000;
      const rest = { ...limits, rowsMax: limits.rowsMax - rows, secondsMax };
      const result = await runBackfill(run, release.id, backfill, progress, rest, replicas);
      rows += result.rows;
      complete &&= result.complete;
    }
  if (complete) await buildIndexes(run, standing);
  await refreshStatistics(run.db, worked);
  return { outcome: worked.length > 0 ? "migrated" : "up_to_date", rows, complete };
}

/** Expand left them for now, when their rows are filled: one build costs less than a million insertions. */
async function buildIndexes(run: EngineRun, standing: Standing): Promise<void> {
  await withExecutor(run.db, run.limits, async (executor) =>
    runSteps(run, executor, "indexes", run.target.id, indexSteps(await executor.introspect(), standing)),
  );
}

/** A checkpoint that was never closed: nothing may be pending any more, but the row must say so. */
async function isUnfinished(progress: ProgressStore, name: string): Promise<boolean> {
  return (await progress.find(name))?.finished === false;
}

/** Whether rows still wait for a data migration of the releases up to `target`. */
export async function hasPendingData(run: Pick<EngineRun, "db" | "target">, standing: Standing): Promise<boolean> {
  const progress = await DatabaseProgress.reader(run.db);
  for (const release of openReleases(standing, run.target))
    for (const backfill of stepsOf(release.id).migrate)
      if ((await backfill.pending(run.db, 1, progress)) > 0) return true;
  return false;
}

/** Throws schema.out_of_order; `what` opens the line as the reference's does. */
export function requireExpanded(run: EngineRun, standing: Standing, what: string): void {
  if (standing.expandLevel >= run.target.level) return;
  throw new ServiceError(
    "schema.out_of_order",
    `${what} cannot be run before database expansion. Run database expansion first using "glance-manage db expand"`,
    { facts: { due: "expand", target: run.target.id } },
  );
}
