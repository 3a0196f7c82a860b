// Walks a list of steps: what is applied is passed over, the rest is applied in order, and each is asked afterwards.
import assert from "node:assert/strict";
import type { ReleaseId } from "../../releases/catalogue.ts";
import type { EnginePhase, EngineRun } from "./engine-run.ts";
import type { SchemaExecutor } from "./executor.ts";
import type { LiveSchema } from "./live-schema.ts";
import { Pace } from "./pace.ts";
import type { Changes, SchemaStep } from "./step.ts";

/** A step, and which way it is taken. */
export type Walk = {
  readonly name: string;
  readonly changes: Changes;
  isDone(schema: LiveSchema): boolean;
  prepare?(): Promise<void>;
  readonly standsAlone?: boolean;
};

export const forward = (step: SchemaStep): Walk => ({
  name: step.name,
  changes: step.changes,
  isDone: (schema) => step.isApplied(schema),
  standsAlone: step.standsAlone ?? false,
});

/** Applies what is missing; returns how many steps it applied. Stops between two steps when the run's signal aborts. */
export async function runSteps(
  run: EngineRun,
  executor: SchemaExecutor,
  phase: EnginePhase,
  release: ReleaseId,
  walks: readonly Walk[],
): Promise<number> {
  let applied = 0;
  // Nobody but us changes the schema now, so what was read after one step holds for the next.
  let schema: LiveSchema | null = null;
  let isFresh = false;
  for (const [position, walk] of walks.entries()) {
    run.signal.throwIfAborted();
    if (schema === null || (!isFresh && !walk.standsAlone)) {
      schema = await executor.introspect();
      isFresh = true;
    }
    const about = { event: "step", phase, release, step: walk.name, index: position + 1, steps: walks.length } as const;
    if (walk.isDone(schema)) {
      run.on({ ...about, status: "already_applied", ms: 0 });
      continue;
    }
    run.on({ ...about, status: "started" });
    const startMs = performance.now();
    const elapsedMs = () => Math.round(performance.now() - startMs);
    await walk.prepare?.();
    await executor.apply(
      {
        name: walk.name,
        changes: walk.changes[run.db.dialect.name](schema),
        isApplied: (live) => walk.isDone(live),
      },
      {
        signal: run.signal,
        waiting: (detail) => run.on({ ...about, status: "waiting", ms: elapsedMs(), detail }),
        working: (detail) => run.on({ ...about, status: "working", ms: elapsedMs(), detail }),
        pace: () => Pace.standard(run.db),
      },
    );
    if (walk.standsAlone) isFresh = false;
    else {
      schema = await executor.introspect();
      assert(walk.isDone(schema), `${walk.name}: done, and the schema does not show it`);
    }
    run.on({ ...about, status: "applied", ms: elapsedMs() });
    applied++;
  }
  return applied;
}
