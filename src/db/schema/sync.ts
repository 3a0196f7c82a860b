// All phases at once, for a database nobody serves from: a fresh one, or one in a maintenance window. Like the reference it leaves
// the triggers out, which only a mixed fleet needs; unlike it, it refuses while a node that would need them is alive.
import { ServiceError } from "../../core/errors.ts";
import { contractUnderLock } from "./contract.ts";
import { liveNodes } from "./contract-blockers.ts";
import { type EngineOptions, type EngineRun, withEngineLock } from "./engine-run.ts";
import { expandUnderLock } from "./expand.ts";
import { migrateUnderLock } from "./migrate.ts";
import { preflight } from "./preflight.ts";
import { readStanding, refuseOlderTarget } from "./revisions.ts";
import { readLiveSchema } from "./schema-tools.ts";

export type SyncResult = { readonly outcome: "synced" | "up_to_date"; readonly heads: readonly string[] };

/** Throws schema.contract_refused, with nothing changed, where nodes older than the target are alive. */
export function sync(options: EngineOptions): Promise<SyncResult> {
  return withEngineLock(options, async (run) => {
    const standing = await readStanding(run.db, await readLiveSchema(run.db));
    refuseOlderTarget(standing, run.target);
    if (standing.contractLevel >= run.target.level) {
      // Our own tables and indexes may still be missing, where the reference's tools made the database.
      const { heads } = await expandUnderLock(run, { mixedFleet: false });
      return { outcome: "up_to_date", heads };
    }
    await refuseLiveNodes(run);
    await preflight(run, "sync");
    // Nobody is there to be stalled by a rebuild, which takes fewer steps and fewer privileges.
    const offline = { ...run, limits: { ...run.limits, rebuildRowsMax: Number.POSITIVE_INFINITY } };
    await expandUnderLock(offline, { mixedFleet: false });
    await migrateUnderLock(offline);
    const { heads } = await contractUnderLock(offline);
    return { outcome: "synced", heads };
  });
}

async function refuseLiveNodes(run: EngineRun): Promise<void> {
  const nodes = await liveNodes(run.db);
  if (nodes.length === 0) return;
  const list = nodes.map((node) => `${node.name} (${node.release})`).join(", ");
  throw new ServiceError(
    "schema.contract_refused",
    `db sync is for a database nobody serves from, and these nodes are alive: ${list}. ` +
      "Upgrade under traffic with `glance-rollout run`, or by `glance-manage db expand`, `db migrate` and `db contract`",
    { facts: { nodes: nodes.map((node) => node.name).join(", "), target: run.target.id } },
  );
}
