// The first phase: whatever nodes of the target release need is added, and nothing that older nodes use is touched. Every release on
// the way has its turn, and each of its revisions is noted as soon as it is there, as the reference notes it.
import { ServiceError } from "../../core/errors.ts";
import { type Release, releases } from "../../releases/catalogue.ts";
import { contractStepsOf, stepsOf } from "../releases/steps.ts";
import { type EngineOptions, type EngineRun, withEngineLock } from "./engine-run.ts";
import type { SchemaExecutor } from "./executor.ts";
import { hasPendingData } from "./migrate.ts";
import { indexSteps } from "./own-indexes.ts";
import { preflight } from "./preflight.ts";
import { DatabaseProgress } from "./progress-store.ts";
import { headsFor, levelsOf, readStanding, refuseOlderTarget, type Standing, stamp } from "./revisions.ts";
import { forward, runSteps, type Walk } from "./run-steps.ts";
import { refreshStatistics, withExecutor } from "./schema-tools.ts";
import { contractHasBegun, createProgressName, openReleases } from "./standing-facts.ts";
import type { ExpandStep } from "./step.ts";
import { finishKilledRevert } from "./taking-back.ts";

export type ExpandResult = {
  /** `finished`: the target's contract is done, so there is nothing to expand for. */
  readonly outcome: "expanded" | "up_to_date" | "finished";
  readonly heads: readonly string[];
};

/**
 * Expands up to the target release. Throws schema.unknown_revision, schema.out_of_order (the database is past the target),
 * schema.preflight_failed, schema.blocked, schema.locked.
 */
export function expand(options: EngineOptions): Promise<ExpandResult> {
  return withEngineLock(options, async (run) => {
    await preflight(run, "expand");
    return expandUnderLock(run, { mixedFleet: true });
  });
}

/** The same inside a run that holds the engine lock. `mixedFleet: false` leaves out what only serves two releases at once. */
export async function expandUnderLock(run: EngineRun, options: { mixedFleet: boolean }): Promise<ExpandResult> {
  return withExecutor(run.db, run.limits, async (executor, session) => {
    const schema = await executor.introspect();
    const before = await readStanding(session, schema);
    refuseOlderTarget(before, run.target);
    const begun = await (await DatabaseProgress.reader(run.db)).find(createProgressName);
    if (before.heads.length === 0 && schema.hasTable("images") && begun?.finished !== false) throw unversioned();
    // Our own tables come only now: where we refuse, nothing was changed.
    const progress = await DatabaseProgress.open(run.db);
    let applied = 0;
    let standing = before;
    if (standing.contractLevel < 0) {
      applied += await create(run, executor, progress);
      standing = await reach(run, standing, { contractLevel: 0, expandLevel: 0 });
      await progress.save(createProgressName, { cursor: null, rowsDone: 0, finished: true });
    }
    await finishKilledRevert(run, executor, progress, before.expandLevel);
    for (const release of openReleases(standing, run.target)) {
      const open = !(await contractHasBegun(run.db, release, await executor.introspect()));
      for (const { expand: revision, level } of levelsOf(release)) {
        const steps = (stepsOf(release.id).expand[revision] ?? []).filter(
          (step) => open && (options.mixedFleet || !step.mixedFleetOnly),
        );
        const walks = steps.map((step) => walkOf(step, progress, before.expandLevel >= level));
        if (walks.length > 0) applied += await runSteps(run, executor, "expand", release.id, walks);
        standing = await reach(run, standing, { ...standing, expandLevel: Math.max(standing.expandLevel, level) });
      }
    }
    await clearLeftovers(run, executor, before);
    const pending = await hasPendingData(run, standing);
    const later = pending ? openReleases(standing, run.target).flatMap((one) => stepsOf(one.id).columnsComing) : [];
    await runSteps(
      run,
      executor,
      "indexes",
      run.target.id,
      indexSteps(await executor.introspect(), standing, { later }),
    );
    if (applied > 0) await refreshStatistics(run.db, ["images"]);
    const { heads } = standing;
    if (before.contractLevel >= run.target.level) return { outcome: "finished", heads };
    const changed = applied > 0 || heads.join() !== before.heads.join();
    return { outcome: changed ? "expanded" : "up_to_date", heads };
  });
}

/** Writes what the levels look like in alembic_version, where that is something else than what stands there. */
async function reach(
  run: EngineRun,
  standing: Standing,
  levels: Pick<Standing, "contractLevel" | "expandLevel">,
): Promise<Standing> {
  const same = levels.contractLevel === standing.contractLevel && levels.expandLevel === standing.expandLevel;
  if (same && !standing.legacy) return standing;
  const heads = headsFor(levels.contractLevel, levels.expandLevel);
  await stamp(run.db, heads);
  return { ...levels, heads, legacy: false };
}

/** Where another tool contracted what we had expanded, it left what it does not know: our triggers. */
async function clearLeftovers(run: EngineRun, executor: SchemaExecutor, { contractLevel }: Standing): Promise<void> {
  const schema = await executor.introspect();
  for (const release of releases.filter((one) => one.level <= contractLevel)) {
    const left = contractStepsOf(release).filter((step) => step.leftByOthers && !step.isApplied(schema));
    if (left.length > 0) await runSteps(run, executor, "contract", release.id, left.map(forward));
  }
}

function walkOf(step: ExpandStep, progress: DatabaseProgress, expandedByOthers: boolean): Walk {
  const walk = forward(step);
  const { prepare } = step;
  return prepare ? { ...walk, prepare: () => prepare.call(step, { progress, expandedByOthers }) } : walk;
}

/** Brings an empty database, or one of the revisions before, to the catalogue's first release. */
async function create(run: EngineRun, executor: SchemaExecutor, progress: DatabaseProgress): Promise<number> {
  const [first] = releases as [Release];
  // Noted before the first table: tables without a revision are then ours, begun and not finished.
  await progress.save(createProgressName, { cursor: null, rowsDone: 0, finished: false });
  return runSteps(run, executor, "create", first.id, stepsOf(first.id).create.map(forward));
}

function unversioned(): ServiceError {
  return new ServiceError(
    "schema.unknown_revision",
    "the database has tables of Glance but no revision: say which it is with `glance-manage db version_control --version mitaka02` (Newton)",
  );
}
