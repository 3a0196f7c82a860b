// The fleet file of a take-over: the same fleet, on the way to ours as the release that Glance is.
import { ServiceError } from "../../core/errors.ts";
import type { ReleaseId } from "../../releases/catalogue.ts";
import type { Fleet } from "../fleet.ts";
import { packagesOf } from "../nodes/node-schemas.ts";

/** The release of the Glance that the fleet's nodes are or were; undefined where none ever was. Throws rollout.fleet_invalid where they differ. */
export function glanceReleaseOf(fleet: Fleet): ReleaseId | undefined {
  const releases = new Set(fleet.nodes.flatMap((node) => node.glance?.release ?? []));
  if (releases.size <= 1) return [...releases][0];
  const message = `${fleet.file}: the nodes' Glance are declared as ${[...releases].join(" and ")}; bring all of them to one release with Glance's own procedure first`;
  throw new ServiceError("rollout.fleet_invalid", message);
}

/** Throws rollout.fleet_invalid where there is no Glance to take over, and where a package of ours is missing. */
export function takeoverFleet(fleet: Fleet): Fleet {
  const release = glanceReleaseOf(fleet);
  if (release === undefined) {
    const message = `${fleet.file}: no node has glance:, which tells how its Glance is found, stopped and started; see docs/take-over.md`;
    throw new ServiceError("rollout.fleet_invalid", message);
  }
  for (const node of fleet.nodes) {
    const packages = packagesOf(node);
    if (packages && !packages[release]) {
      const message = `${fleet.file}: ${node.name} has no package for ${release}, as which ours takes Glance over; name it in its packages`;
      throw new ServiceError("rollout.fleet_invalid", message);
    }
  }
  // Glance has no figures to be compared with.
  const { canary: _none, ...gates } = fleet.gates;
  return { ...fleet, target: release, gates, strategy: "drain" };
}
