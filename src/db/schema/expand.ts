// The first phase: whatever nodes of the target release need is added, and nothing that older nodes use is touched.
import { ServiceError } from "../../core/errors.ts";
import { type Release, releases } from "../../releases/catalogue.ts";
import { stepsOf } from "../releases/steps.ts";
import { type EngineOptions, type EngineRun, withEngineLock } from "./engine-run.ts";
import type { SchemaExecutor } from "./executor.ts";
import { hasPendingData } from "./migrate.ts";
import { indexSteps } from "./own-indexes.ts";
import { preflight } from "./preflight.ts";
import { DatabaseProgress } from "./progress-store.ts";
import { headsFor, readStanding, type Standing, stamp } from "./revisions.ts";
import { forward, runSteps, type Walk } from "./run-steps.ts";
import { withExecutor } from "./schema-tools.ts";
import { contractHasBegun, createProgressName, openReleases } from "./standing-facts.ts";
import type { ExpandStep } from "./step.ts";

export type ExpandResult = {
  /** `finished`: the target's contract is done, so there is nothing to expand for. */
  readonly outcome: "expanded" | "up_to_date" | "finished";
  readonly heads: readonly string[];
};

/** Expands up to the target release. Throws schema.unknown_revision, schema.preflight_failed, schema.blocked, schema.locked. */
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
    const begun = await (await DatabaseProgress.reader(run.db)).find(createProgressName);
    if (before.heads.length === 0 && schema.hasTable("images") && begun?.finished !== false) throw unversioned();
    // Our own tables come only now: where we refuse, nothing was changed.
    const progress = await DatabaseProgress.open(run.db);
    let applied = 0;
    if (before.contracted === null) applied += await create(run, executor, progress);
    for (const release of releases.filter((one) => one.order <= run.target.order)) {
      const isOpen = !before.contracted || release.order > before.contracted.order;
      if (!isOpen || (await contractHasBegun(run.db, release, await executor.introspect()))) continue;
      const steps = stepsOf(release.id).expand.filter((step) => options.mixedFleet || !step.mixedFleetOnly);
      const walks = steps.map((step) => walkOf(step, progress, before));
      applied += await runSteps(run, executor, "expand", release.id, walks);
    }
    await clearLeftovers(run, executor, before);
    const heads = await stampExpanded(run, before);
    if (before.contracted === null)
      await progress.save(createProgressName, { cursor: null, rowsDone: 0, finished: true });
    const pending = await hasPendingData(run, await readStanding(session, await executor.introspect()));
    const later = pending
      ? openReleases(before.contracted, run.target).flatMap((one) => stepsOf(one.id).columnsComing)
      : [];
    await runSteps(run, executor, "indexes", run.target.id, indexSteps(await executor.introspect(), { later }));
    const finished = before.contracted !== null && before.contracted.order >= run.target.order;
    if (finished) return { outcome: "finished", heads };
    const changed = applied > 0 || heads.join() !== before.heads.join();
    return { outcome: changed ? "expanded" : "up_to_date", heads };
  });
}

/** Where another tool contracted what we had expanded, it left what it does not know: our triggers. */
async function clearLeftovers(run: EngineRun, executor: SchemaExecutor, before: Standing): Promise<void> {
  const schema = await executor.introspect();
  for (const release of releases.filter((one) => one.order <= (before.contracted?.order ?? -1))) {
    const left = stepsOf(release.id).contract.filter((step) => !step.isApplied(schema));
    await runSteps(run, executor, "contract", release.id, left.map(forward));
  }
}

function walkOf(step: ExpandStep, progress: DatabaseProgress, before: Standing): Walk {
  const walk = forward(step);
  const { prepare } = step;
  return prepare ? { ...walk, prepare: () => prepare.call(step, { progress, heads: before.heads }) } : walk;
}

/** Brings an empty database, or one of the revisions before, to the catalogue's first release. */
async function create(run: EngineRun, executor: SchemaExecutor, progress: DatabaseProgress): Promise<number> {
  const [first] = releases;
  if (!first) return 0;
  // Noted before the first table: tables without a revision are then ours, begun and not finished.
  await progress.save(createProgressName, { cursor: null, rowsDone: 0, finished: false });
  return runSteps(run, executor, "create", first.id, stepsOf(first.id).create.map(forward));
}

async function stampExpanded(run: EngineRun, before: Standing): Promise<readonly string[]> {
  const [first] = releases;
  const contracted: Release | null | undefined = before.contracted ?? first;
  const expanded = before.expanded && before.expanded.order > run.target.order ? before.expanded : run.target;
  if (!contracted) return before.heads;
  const keep = contracted.order >= expanded.order && !before.legacy && before.contracted !== null;
  const heads = keep ? before.heads : headsFor(contracted, expanded);
  await stamp(run.db, heads);
  return heads;
}

function unversioned(): ServiceError {
  return new ServiceError(
    "schema.unknown_revision",
    "the database has tables of Glance but no revision: say which it is with `glance-manage db version_control --version mitaka02` (Newton)",
  );
}
