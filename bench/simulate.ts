// Claim: the simulator looks at 1,000 seeds a minute or more on one core; looks and decisions of a rollout of 10,000 nodes cost, for each
// node, no more time and memory than those of 1,000.
import { decide, type Plan } from "../src/rollout/decide.ts";
import type { Snapshot } from "../src/rollout/snapshot.ts";
import { done, fresh, look, node, plan } from "../src/rollout/testing/decision-scene.ts";
import { simulate } from "../src/rollout/testing/simulation/simulate.ts";
import type { Bench } from "./bench.ts";

const [small, large] = [1_000, 10_000] as const;
const rounds = 25;
/** Per node; a cost that grows with the square would be 10. Ten thousand nodes leave the processor's caches, which a thousand do not. */
const ratioMax = 2;
/** A batch of half the fleet that starts, the other half waiting for its turn: each node is looked at by each decision. */
const change: Partial<Plan> = { batches: [1_000_000], servingMin: 1_000_000 };

export const simulation: Bench = {
  name: "simulate",
  summary: "simulated rollouts, and decisions on fleets of 1,000 and 10,000 nodes",
  async run({ scale, progress }) {
    progress("seeds");
    const seeds = Math.max(20, Math.round(1_000 * scale));
    const begin = process.cpuUsage();
    let broken = 0;
    for (let seed = 1; seed <= seeds; seed++) if ((await simulate(seed)).broken !== null) broken++;
    const { user, system } = process.cpuUsage(begin);
    const perMinute = (seeds / (user + system)) * 60_000_000;
    progress("decisions");
    const [ofSmall, ofLarge] = [decisionMs(small), decisionMs(large)];
    const [bytesOfSmall, bytesOfLarge] = [bytesFor(small), bytesFor(large)];
    return [
      { what: "seeds in a minute of one core", value: perMinute, unit: "seeds", bound: { atLeast: 1_000 } },
      { what: "broken promises", value: broken, unit: "", bound: { atMost: 0 } },
      { what: "a decision on 1,000 nodes", value: ofSmall, unit: "ms" },
      { what: "a decision on 10,000 nodes", value: ofLarge, unit: "ms" },
      {
        what: "the same for each node, 10,000 against 1,000",
        value: ofLarge / ofSmall / 10,
        unit: "x",
        bound: { atMost: ratioMax },
      },
      {
        what: "memory for each node of a decision, 10,000 against 1,000",
        value: bytesOfLarge / bytesOfSmall / 10,
        unit: "x",
        bound: { atMost: ratioMax },
      },
    ];
  },
};

function fleetOf(count: number): Snapshot {
  const kinds = [done, (name: string) => node(name, fresh), node] as const;
  const nodes = Array.from({ length: count }, (_, index) => (kinds[index % 3] ?? node)(`n${index}`));
  return look(nodes, { due: "contract" });
}

/** The best of several rounds: what else this machine does only adds to it. */
function decisionMs(count: number): number {
  const seen = fleetOf(count);
  const times = 50_000 / count;
  const best = Array.from({ length: rounds }, () => {
    const beganMs = performance.now();
    for (let time = 0; time < times; time++) decide({ ...plan, ...change }, seen);
    return (performance.now() - beganMs) / times;
  });
  return Math.min(...best);
}

/** What one decision leaves to the garbage collector, at least as seen over many of them. */
function bytesFor(count: number): number {
  const seen = fleetOf(count);
  const times = 50_000 / count;
  const grown = Array.from({ length: rounds }, () => {
    const before = process.memoryUsage().heapUsed;
    for (let time = 0; time < times; time++) decide({ ...plan, ...change }, seen);
    return (process.memoryUsage().heapUsed - before) / times;
  }).filter((bytes) => bytes > 0);
  // A collection in between hides what was made: the largest rounds are those without one.
  return Math.max(...grown);
}
