// What a take-over would do from here, and what stands in its way as far as the fleet and the database tell.
import { isServing, isWanted } from "../decide-node.ts";
import type { Fleet } from "../fleet.ts";
import type { NodeView, Snapshot } from "../snapshot.ts";

type Seen = Omit<Snapshot, "memory">;

export function takeoverSteps(fleet: Fleet, seen: Seen): readonly string[] {
  const { target } = fleet;
  const left = seen.nodes.filter((node) => !isOurs(fleet, node));
  if (left.length === 0) return [];
  const probe = fleet.gates.synthetic ? "create, read and delete an image through it, " : "";
  const backup = seen.backup === "verified" ? [] : ["back the database up, and read it back"];
  const [first, ...others] = left;
  return [
    ...backup,
    `drain ${first?.name}, wait for its requests and imports, stop its Glance and see it gone`,
    `start ${first?.name} as ours, release ${target}, ${probe}return it to rotation`,
    ...others.map(({ name }) => `the same for ${name}`),
  ];
}

/** A line where images are in kinds of stores that we do not have; `locations` by the scheme of their URLs. */
export function foreignImagesText(locations: ReadonlyMap<string, number>): readonly string[] {
  if (locations.size === 0) return [];
  const kinds = [...locations].map(([scheme, count]) => `${count} in ${scheme}`).join(", ");
  return [
    `Image data in stores that we do not have: ${kinds}. It is read and deleted by way of the Glance nodes that [perennial] foreign_store_proxy names, and refused with 501 without one.`,
  ];
}

export function takeoverProblems(fleet: Fleet, seen: Seen): readonly string[] {
  const { target, servingMin } = fleet;
  const problems: string[] = [];
  if (seen.due !== "nothing")
    problems.push(
      `the database is not a finished one of ${target}: ${seen.due} is due; finish it with glance-manage db ${seen.due} of Glance first`,
    );
  for (const node of seen.nodes) {
    if (node.glance !== undefined && node.software !== "glance")
      problems.push(`${node.name} is ours, and a Glance lives on its host (${node.glance}); stop it first`);
  }
  const behind = seen.nodes.filter((node) => isServing(node) && !isOurs(fleet, node));
  const left = seen.nodes.length - 1;
  if (behind.length > 0 && left < servingMin)
    problems.push(`taking one node out leaves ${left} serving; the floor (capacity.serving_min) is ${servingMin}`);
  return problems;
}

function isOurs(fleet: Fleet, node: NodeView): boolean {
  return isServing(node) && isWanted({ target: fleet.target, takeover: "perennial" }, node);
}
