// One simulated rollout as data, drawn from a seed: the fleet, what is asked of it, and what goes wrong.
import { type ReleaseId, releaseIds, releaseOf } from "../../../releases/catalogue.ts";
import { type Plan, strategies, untils } from "../../decide.ts";
import { drawFaults, type Fault } from "./fault.ts";
import { Random } from "./random.ts";

/** What is wrong with the newer release, on every node. */
export type BadRelease = "fails its health" | "fails one in fifty" | "three times slower" | "leaks";

export type Scenario = {
  readonly seed: number;
  readonly from: ReleaseId;
  readonly nodes: number;
  /** Forward. */
  readonly plan: Plan;
  readonly pollMs: number;
  readonly bad: BadRelease | null;
  readonly requestsPerSecond: number;
  /** Nodes whose package does not know how to hand over. */
  readonly unable: ReadonlySet<number>;
  /** How far the wall clocks of the hosts that a rollout is run from are off. */
  readonly skewsMs: readonly [number, number];
  readonly faults: readonly Fault[];
};

/** Neighbours, a jump over all releases, and two that differ in nothing of the database. */
const ways: readonly [readonly [ReleaseId, ReleaseId], ...(readonly [ReleaseId, ReleaseId])[]] = [
  ["newton", "ocata"],
  ["newton", "2026.1"],
  ["rocky", "stein"],
  ["pike", "rocky"],
];
const batches: readonly [Plan["batches"], ...Plan["batches"][]] = [[1], [1], [2], [1, 2], [1, 1, 3], [6]];
/** Nothing goes wrong later than this, so that every rollout can come to its end. */
export const faultsUntilMs = 90_000;

export function drawScenario(seed: number): Scenario {
  const random = new Random(seed);
  const [from, target] = random.pick(ways);
  const nodes = random.between(1, 7);
  const bad: BadRelease | null = random.chance(0.1)
    ? random.pick(["fails its health", "fails one in fifty", "three times slower", "leaks"])
    : null;
  const plan = drawPlan(random, target, nodes);
  const others = releaseIds.filter(
    (id) => id !== target && Math.abs(releaseOf(id).order - releaseOf(target).order) < 4,
  );
  return {
    seed,
    from,
    nodes,
    plan,
    pollMs: random.pick([200, 500, 1_000]),
    bad,
    requestsPerSecond: random.pick([50, 50, 50, 0]),
    unable: new Set(random.chance(0.3) ? [random.between(0, nodes)] : []),
    skewsMs: [0, random.pick([0, 0, -skewMsMax, skewMsMax])],
    faults: drawFaults(random.fork(), { nodes, untilMs: faultsUntilMs, releases: [from, ...others] }),
  };
}

export const skewMsMax = 2_000;

function drawPlan(random: Random, target: ReleaseId, nodes: number): Plan {
  return {
    way: "forward",
    target,
    // Up to all of them: then nothing may ever be taken out, and the rollout can but pause.
    servingMin: random.chance(0.1) ? nodes : random.between(0, nodes),
    drain: { msMax: random.pick([5_000, 20_000]), policy: random.pick(["wait", "pause", "cut"]) },
    settleMsMax: 1_000,
    startMsMax: 10_000,
    batches: random.pick(batches),
    healthMsMax: 10_000,
    minHealthyMs: random.pick([0, 0, 3_000]),
    soakMs: random.pick([0, 0, 10_000]),
    canary: random.chance(0.4)
      ? {
          windowMs: 5_000,
          requestsMin: 50,
          errorRateMax: 0.01,
          p99RatioMax: 2,
          onFailure: random.pick(["pause", "rollback"]),
        }
      : null,
    startsMax: 3,
    failuresMax: 3,
    strangersMsMax: 10_000,
    until: random.chance(0.2) ? random.pick(untils) : null,
    strategy: random.pick(strategies),
  };
}

/** The same on the way back. */
export function planBack({ plan, from }: Scenario): Plan {
  return { ...plan, way: "back", target: from, until: null };
}
