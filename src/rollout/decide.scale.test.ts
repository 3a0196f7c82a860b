// Large fleets: what a decision costs grows with the number of nodes, and no faster. Counted are the looks at a node's fields, not time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decide, type Plan } from "./decide.ts";
import type { NodeView, Snapshot } from "./snapshot.ts";
import { done, fresh, look, node, plan } from "./testing/decision-scene.ts";

/** How often fields of nodes are read for one decision on a fleet of `count`. */
function readsFor(count: number, change: Partial<Plan>, nodeOf: (index: number) => NodeView): number {
  let reads = 0;
  const counted = (one: NodeView) =>
    new Proxy(one, {
      get(target, key) {
        reads++;
        return Reflect.get(target, key);
      },
    });
  const nodes = Array.from({ length: count }, (_, index) => counted(nodeOf(index)));
  const seen: Snapshot = look(nodes, { due: "contract" });
  const decision = decide({ ...plan, ...change }, seen);
  assert(decision.why.length < 2_000, `a reason is a line, and this one has ${decision.why.length} characters`);
  return reads;
}

const half = [1_000_000] as const;
const fleets: readonly (readonly [string, Partial<Plan>, (index: number) => NodeView])[] = [
  ["one node after the other", {}, (index) => (index < 10 ? done(`n${index}`) : node(`n${index}`))],
  ["all of them starting", { batches: half }, (index) => node(`n${index}`, fresh)],
  ["all of them in one batch, at the floor", { batches: half, servingMin: 1_000_000 }, (index) => node(`n${index}`)],
  [
    "half of them draining, the others in rotation and unwell",
    { batches: half, servingMin: 1_000_000 },
    (index) =>
      index % 2 === 0
        ? node(`n${index}`, { process: "stopping", healthy: false, rotation: { state: "drain" } })
        : node(`n${index}`, { healthy: false, release: "ocata", configRelease: "ocata" }),
  ],
  [
    "most of them moved",
    { batches: [1, 10, 100] },
    (index) => (index % 10 > 0 ? done(`n${index}`) : node(`n${index}`)),
  ],
];

for (const [name, change, nodeOf] of fleets) {
  test(`scale: a decision on ten times the nodes costs ten times as much at most: ${name}`, () => {
    const [small, large] = [readsFor(300, change, nodeOf), readsFor(3_000, change, nodeOf)];
    assert(large <= 10.5 * small, `${large} reads for 3,000 nodes, ${small} for 300`);
  });
}
