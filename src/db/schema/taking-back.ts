// A release whose expand is being taken back. That is noted, for one that is only half there says nothing true any more: old nodes write on
// while the triggers that told its columns are gone. So whoever goes forward after a revert that was killed first takes the rest of it back.
import { type Release, releases } from "../../releases/catalogue.ts";
import { expandStepsOf, stepsOf } from "../releases/steps.ts";
import type { EngineRun } from "./engine-run.ts";
import type { SchemaExecutor } from "./executor.ts";
import { indexRemovals } from "./own-indexes.ts";
import { runSteps, type Walk } from "./run-steps.ts";
import type { ExpandStep, ProgressStore } from "./step.ts";

const noteName = (release: Release) => `revert: ${release.id}`;

export async function beginTakingBack(progress: ProgressStore, release: Release): Promise<void> {
  await progress.save(noteName(release), { cursor: null, rowsDone: 0, finished: false });
}

/**
 * Takes the rest back of what a killed revert left half-way. Where the revision stands all the same, another tool expanded since: that is left
 * as it is, and its data migrations are due once more, for nobody knows what was written while triggers were gone.
 */
export async function finishKilledRevert(
  run: EngineRun,
  executor: SchemaExecutor,
  progress: ProgressStore,
  expandLevel: number,
): Promise<void> {
  for (const release of releases) {
    if ((await progress.find(noteName(release))) === undefined) continue;
    const isExpanded = expandLevel > release.level - release.revisions.length;
    if (isExpanded) {
      for (const { name } of stepsOf(release.id).migrate)
        await progress.save(name, { cursor: null, rowsDone: 0, finished: false });
      await progress.remove(noteName(release));
    } else {
      run.on({
        event: "warning",
        text: `a revert from ${release.id} was killed half-way: the rest is taken back first`,
      });
      await finishTakingBack(run, executor, progress, release);
    }
  }
}

/** Triggers, columns and indexes, last step first, and what is remembered of its data migrations. May be run again after a kill. */
export async function finishTakingBack(
  run: EngineRun,
  executor: SchemaExecutor,
  progress: ProgressStore,
  release: Release,
): Promise<void> {
  const { migrate, columnsComing } = stepsOf(release.id);
  const live = await executor.introspect();
  const ours = columnsComing.flatMap(([table, column]) => indexRemovals(live, table, column));
  const walks = expandStepsOf(release).map(backward).reverse();
  await runSteps(run, executor, "revert", release.id, [...ours, ...walks]);
  for (const { name } of migrate) await progress.remove(name);
  await progress.remove(noteName(release));
}

function backward(step: ExpandStep): Walk {
  return { name: `take back: ${step.name}`, changes: step.revert, isDone: (schema) => step.isReverted(schema) };
}
