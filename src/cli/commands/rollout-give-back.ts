// `glance-rollout rollback` of a fleet that was taken over from Glance: ours back to the release that Glance is, and then Glance on every
// node, the last one first.
import { ServiceError } from "../../core/errors.ts";
import { type ReleaseId, releaseOf } from "../../releases/catalogue.ts";
import type { Fleet } from "../../rollout/fleet.ts";
import { FleetWorld } from "../../rollout/fleet-world.ts";
import type { Snapshot } from "../../rollout/snapshot.ts";
import { takeoverFleet } from "../../rollout/takeover/takeover-fleet.ts";
import type { ExitCode } from "../exit-codes.ts";
import { databaseOf, planOf, wireRollout } from "./rollout-parts.ts";
import { askToGoAhead, runSession } from "./rollout-session.ts";

/** Whether nodes or the schema are past the release that Glance is. Throws schema.out_of_order where a contract has begun. */
export async function isPastGlance(fleet: Fleet): Promise<boolean> {
  const back = takeoverFleet(fleet);
  const database = databaseOf(back, "back");
  try {
    const parts = wireRollout(back, { rolloutId: "none yet", database });
    const seen = await new FleetWorld(parts).look(new AbortController().signal);
    refuseClosed(back.target, seen);
    const { order } = releaseOf(back.target);
    const isNewer = (release: ReleaseId) => releaseOf(release).order > order;
    return (
      seen.due === "revert" ||
      seen.nodes.some((node) => node.software !== "glance" && node.release !== null && isNewer(node.release))
    );
  } finally {
    await database.close();
  }
}

/** Every node serves as ours what Glance is. Throws what `failCommand` tells. */
export async function giveBack(fleet: Fleet, options: { fleet: string; yes?: true; json?: true }): Promise<ExitCode> {
  const back = takeoverFleet(fleet);
  return runSession({
    fleet: back,
    rolloutTarget: back.target,
    plan: { ...planOf(back, "back"), takeover: "glance" },
    json: options.json === true,
    again: `glance-rollout rollback --fleet ${options.fleet}`,
    mayBegin: async (parts, seen, signal) => {
      refuseClosed(back.target, seen);
      if (options.yes) return true;
      const ours = seen.nodes.filter((node) => node.software !== "glance").toReversed();
      return askToGoAhead(
        [
          `Return of ${fleet.name} to Glance (${back.target}) on ${parts.databaseName}:`,
          ...ours.map(
            ({ name }) => `  ${name}: drain, finish transfers and imports, exit, start Glance, probe, return`,
          ),
        ],
        signal,
      );
    },
  });
}

function refuseClosed(target: ReleaseId, seen: Pick<Snapshot, "due">): void {
  if (seen.due !== "closed") return;
  const message = `nothing was changed: a contract has begun, so there is no way back to Glance ${target}: restore the backup (glance-manage db restore), or go on with glance-rollout run`;
  throw new ServiceError("schema.out_of_order", message, { facts: { target } });
}
