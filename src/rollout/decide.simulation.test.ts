// Random fleets with random faults, from a seed: nodes die, starts fail, answers get lost, the balancer forgets, the runner is killed.
// Never below the floor, never more out than a batch has places, never a contract under an old node, and every run ends: finished, or paused for a person who runs it again.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReleaseId } from "../releases/catalogue.ts";
import { type Plan, strategies } from "./decide.ts";
import { type RunEnd, runRollout } from "./runner.ts";
import { Killed, SimulatedFleet } from "./testing/simulated-fleet.ts";

/** Neighbours, a jump over all releases, and two that differ in nothing of the database. */
const ways: readonly [way: readonly [from: ReleaseId, to: ReleaseId], ...more: (readonly [ReleaseId, ReleaseId])[]] = [
  ["newton", "ocata"],
  ["newton", "2026.1"],
  ["rocky", "stein"],
];
const batches: readonly [readonly [number], ...(readonly [number, ...number[]])[]] = [[1], [2], [1, 2], [1, 1, 3], [6]];
const runs = Number(process.env.SIMULATION_RUNS ?? 200);
const seedFirst = Number(process.env.SEED ?? Math.floor(Math.random() * 1_000_000_000));

test(`simulation: ${runs} random rollouts keep every promise (SEED=${seedFirst} SIMULATION_RUNS=${runs})`, async () => {
  const ends = { finished: 0, paused: 0, killed: 0 };
  for (let seed = seedFirst; seed < seedFirst + runs; seed++) {
    try {
      await simulate(seed, ends);
    } catch (error) {
      throw new Error(`broken with SEED=${seed} SIMULATION_RUNS=1`, { cause: error });
    }
  }
  assert(runs < 100 || (ends.paused > 0 && ends.killed > 0), "faults do happen");
});

async function simulate(seed: number, ends: { finished: number; paused: number; killed: number }): Promise<void> {
  const random = mulberry32(seed);
  const nodeCount = 1 + Math.floor(random() * 6);
  const [from, target] = pick(random, ways);
  const plan: Plan = {
    way: "forward",
    target,
    // Up to all of them: then nothing may ever be taken out, and the rollout can but pause.
    servingMin: Math.floor(random() * (nodeCount + 1)),
    drain: { msMax: 10_000, policy: pick(random, ["wait", "pause", "cut"]) },
    settleMsMax: 1_000,
    startMsMax: 10_000,
    batches: pick(random, batches),
    healthMsMax: 10_000,
    minHealthyMs: pick(random, [0, 2_000]),
    soakMs: pick(random, [0, 5_000]),
    canary: null,
    startsMax: 3,
    failuresMax: 3,
    strangersMsMax: 10_000,
    until: null,
    strategy: pick(random, strategies),
  };
  const fleet = new SimulatedFleet(plan, from, nodeCount, random, 120_000);
  // A person runs it again after each pause; faults end after two minutes, so that the last runs must finish.
  const runsMax = plan.servingMin === nodeCount ? 10 : 200;
  for (let run = 1; run <= runsMax; run++) {
    const end = await runOnce(plan, fleet);
    ends[end]++;
    if (end === "finished") {
      assert(fleet.nodes.every((node) => node.release === target && node.state === "ready"));
      assert.equal(fleet.due, "nothing");
      return;
    }
    // Whoever looks after a pause takes their time.
    await fleet.clock.sleep(3_000).catch((error) => assert(error instanceof Killed));
  }
  if (plan.servingMin === nodeCount) return;
  assert.fail(`it never finished: ${JSON.stringify({ plan, due: fleet.due, nowMs: fleet.nowMs, nodes: fleet.nodes })}`);
}

async function runOnce(plan: Plan, fleet: SimulatedFleet): Promise<"finished" | "paused" | "killed"> {
  const journal: string[] = [];
  let steps = 0;
  try {
    const end: RunEnd = await runRollout({
      plan,
      world: fleet.world(),
      clock: fleet.clock,
      signal: new AbortController().signal,
      pollMs: 250,
      blindMsMax: 5_000,
      progressMs: 5_000,
      journal: {
        append: async (event) => {
          assert(++steps < 5_000, `endless: ${journal.slice(-10).join("\n")}`);
          journal.push(`${event.kind} ${event.text}`);
          return { ...event, seq: steps, time: "" };
        },
      },
    });
    assert(end.end === "finished" || end.end === "paused", end.end);
    return end.end;
  } catch (error) {
    if (error instanceof Killed) return "killed";
    throw new Error(journal.slice(-15).join("\n"), { cause: error });
  }
}

function pick<T>(random: () => number, values: readonly [T, ...T[]]): T {
  return values[Math.floor(random() * values.length)] ?? values[0];
}

/** A small random number generator with a seed. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
