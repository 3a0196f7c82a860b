// A walk through random operations on a mixed fleet; after each, what was touched looks the same from both kinds of nodes.
import { Comparison } from "./differences.ts";
import type { MixedFleet } from "./fleet.ts";
import { imageOperations } from "./image-operations.ts";
import { define } from "./metadef-operations.ts";
import {
  compareDocuments,
  compareImage,
  compareList,
  compareNamespace,
  compareRest,
  compareWholeImage,
} from "./views.ts";
import { World } from "./world.ts";

export type Walked = {
  readonly mistakes: readonly string[];
  /** Kinds of operations that went well, and how often. */
  readonly done: ReadonlyMap<string, number>;
};

const mistakesMax = 15;
const weighted = imageOperations.flatMap(([operation, weight]) => Array.from({ length: weight }, () => operation));

/** `comparison` notes which of the documented differences were met. */
export async function walk(
  fleet: MixedFleet,
  { seed, operations, comparison = new Comparison() }: { seed: number; operations: number; comparison?: Comparison },
): Promise<Walked> {
  const world = new World(fleet, comparison, seed);
  const [create] = weighted;
  await compareDocuments(world);
  for (let step = 0; step < operations && world.mistakes.length < mistakesMax; step++) {
    const before = world.mistakes.length;
    if (world.chance(8)) await compareNamespace(world, await define(world));
    else {
      const operation = world.images.length < 4 ? create : world.pick(weighted);
      const touched = (await operation?.(world)) ?? null;
      if (touched !== null) await compareImage(world, touched);
    }
    if (step % 3 === 2) await compareList(world);
    if (step % 15 === 14) await compareRest(world);
    for (let at = before; at < world.mistakes.length; at++)
      world.mistakes[at] = `operation ${step}, ${world.mistakes[at]}`;
  }
  if (world.mistakes.length === 0)
    for (const id of [...world.images, ...world.deleted.slice(-3)]) await compareWholeImage(world, id);
  return { mistakes: world.mistakes, done: world.done };
}
