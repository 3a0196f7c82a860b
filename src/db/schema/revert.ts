// Takes an expand back, as long as its contract has not begun: nodes go back first, then triggers, columns and indexes are removed,
// last step first. What the older release cannot express (community, shared, private) falls back to public or not.
import { ServiceError } from "../../core/errors.ts";
import { releases } from "../../releases/catalogue.ts";
import { stepsOf } from "../releases/steps.ts";
import { liveNodes } from "./contract-blockers.ts";
import { type EngineOptions, withEngineLock } from "./engine-run.ts";
import { indexRemovals, indexSteps } from "./own-indexes.ts";
import { DatabaseProgress } from "./progress-store.ts";
import { headsFor, readStanding, stamp } from "./revisions.ts";
import { runSteps, type Walk } from "./run-steps.ts";
import { withExecutor } from "./schema-tools.ts";
import { contractHasBegun } from "./standing-facts.ts";
import type { ExpandStep } from "./step.ts";

export type RevertResult = { readonly outcome: "reverted" | "up_to_date"; readonly heads: readonly string[] };

/** Back to `target`. Throws schema.out_of_order after contract has begun, schema.contract_refused while newer nodes are alive. */
export function revert(options: EngineOptions): Promise<RevertResult> {
  return withEngineLock(options, (run) =>
    withExecutor(run.db, run.limits, async (executor, session) => {
      const schema = await executor.introspect();
      const standing = await readStanding(session, schema);
      const going = releases.filter((release) => release.order > run.target.order).reverse();
      for (const release of going)
        if ((standing.contracted?.order ?? -1) >= release.order || (await contractHasBegun(run.db, release, schema)))
          throw new ServiceError(
            "schema.out_of_order",
            `the contract to ${release.id} has begun, so there is no way back: restore the backup, or go on with "glance-manage db contract"`,
            { facts: { due: "contract", target: run.target.id } },
          );
      const newer = (await liveNodes(run.db)).filter((node) => going.some((release) => release.id === node.release));
      if (newer.length > 0)
        throw new ServiceError(
          "schema.contract_refused",
          `nodes newer than ${run.target.id} are alive: ${newer.map((node) => node.name).join(", ")}. Take them back first`,
          { facts: { nodes: newer.map((node) => node.name).join(", "), target: run.target.id } },
        );
      const progress = await DatabaseProgress.open(run.db);
      let applied = 0;
      for (const release of going) {
        const { expand, migrate, columnsComing } = stepsOf(release.id);
        const live = await executor.introspect();
        const ours = columnsComing.flatMap(([table, column]) => indexRemovals(live, table, column));
        applied += await runSteps(run, executor, "revert", release.id, [...ours, ...expand.map(backward).reverse()]);
        for (const backfill of migrate) await progress.remove(backfill.name);
      }
      const contracted = standing.contracted ?? run.target;
      const heads = applied > 0 || standing.expanded !== contracted ? headsFor(contracted, run.target) : standing.heads;
      await stamp(run.db, heads);
      await runSteps(run, executor, "indexes", run.target.id, indexSteps(await executor.introspect()));
      return { outcome: applied > 0 ? "reverted" : "up_to_date", heads };
    }),
  );
}

function backward(step: ExpandStep): Walk {
  return { name: `take back: ${step.name}`, changes: step.revert, isDone: (schema) => step.isReverted(schema) };
}
