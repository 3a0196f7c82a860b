// Bugs on purpose: runs of the simulator that are given something broken in place of a part of the real thing. It has to find each of them.
import { isServiceError } from "../../../core/errors.ts";
import type { World } from "../../runner.ts";
import type { Fault } from "./fault.ts";
import type { Seams } from "./simulation.ts";

export type PlantedBug = {
  readonly seams: Seams;
  /** What the simulator has to say. */
  readonly found: RegExp;
  /** Where looking for it begins: none of the seeds before it finds it. */
  readonly seed: number;
  /** What brings it to light soon, beside what the seed draws. */
  readonly faults: readonly Fault[];
};

export const plantedBugs: Readonly<Record<string, PlantedBug>> = {
  "decisions that ignore the capacity floor": {
    seams: { plan: (plan) => ({ ...plan, servingMin: 0 }) },
    found: /below the capacity floor/,
    seed: 2,
    faults: [],
  },
  "a contract that ignores a node which serves, and whose heartbeats have stopped": {
    seams: { world: withoutSilentNodes },
    faults: [{ what: "falls silent", atMs: 1_000, node: 0, forMs: 600_000 }],
    found: /contract: n\d+ is of an older release, and lives/,
    seed: 43,
  },
  "a runner that acts after it has lost its lease": {
    seams: {
      lease: () => ({ confirm: async () => undefined, mayAct: new AbortController().signal }),
      // Its entries would stop it too, so they are lost on it.
      journal: (journal) => ({
        append: async (event) => {
          try {
            return await journal.append(event);
          } catch (error) {
            if (!isServiceError(error, "rollout.lease_lost")) throw error;
            return { ...event, seq: 0, time: "" };
          }
        },
      }),
    },
    found: /an effect of a run whose lease is another's/,
    seed: 3,
    faults: [{ what: "runner frozen", atMs: 5_000, forMs: 60_000 }],
  },
  "batches that are larger than they were asked to be": {
    seams: { plan: ({ batches: [first, ...others], ...plan }) => ({ ...plan, batches: [first + 1, ...others] }) },
    found: /is moved while \d+ are out, of \d+ places/,
    seed: 10,
    faults: [],
  },
  "transfers that are cut though they are to be waited for": {
    seams: { plan: (plan) => ({ ...plan, drain: { ...plan.drain, policy: "cut" } }) },
    found: /cut n\d+: against the policy/,
    seed: 17,
    faults: [],
  },
  "a rollout that does not wait after a reload of the balancer": {
    seams: { world: withoutReloads },
    found: /a process of the balancer that was replaced knows none/,
    seed: 65,
    faults: [
      { what: "balancer forgets", atMs: 9_000 },
      { what: "balancer forgets", atMs: 12_000 },
    ],
  },
  "a way back that begins with the first node": {
    seams: { world: inReverse },
    found: /goes back before n\d+/,
    seed: 5,
    faults: [{ what: "rollback asked", atMs: 40_000 }],
  },
};

/** As the registry alone would have it. */
function withoutSilentNodes(world: World): World {
  return {
    act: (...args) => world.act(...args),
    observe: async (signal) => {
      const seen = await world.observe(signal);
      const heard = seen.nodes.filter((node) => (node.heartbeatAgeSeconds ?? 0) < 30);
      return { ...seen, nodes: heard.length > 0 ? heard : seen.nodes };
    },
  };
}

function withoutReloads(world: World): World {
  return {
    act: (...args) => world.act(...args),
    observe: async (signal) => ({ ...(await world.observe(signal)), balancerOutdatedMs: 0 }),
  };
}

function inReverse(world: World): World {
  return {
    act: (...args) => world.act(...args),
    observe: async (signal) => {
      const seen = await world.observe(signal);
      return { ...seen, nodes: seen.nodes.toReversed() };
    },
  };
}
