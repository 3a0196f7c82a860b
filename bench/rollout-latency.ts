// Claim: requests of a whole rollout take hardly longer than before it: their p99 is within 1.1x (nodes drain, MariaDB behind HAProxy) and
// within 1.25x (hand-over, where two processes share the machine), and none waits for 500 ms. Fleet, database, balancer, rollout and
// clients share one machine, so that rounds differ: what counts is the median of their ratios.
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DemoOptions, initialState, runDemo } from "../demo/demo.ts";
import { type Bench, type Figure, median } from "./bench.ts";

const roundsAll = 5;
const before = { warmUpMs: 7_000, controlMs: 21_000 } as const;
const stallMsMax = 500;

type Claim = Pick<DemoOptions, "strategy" | "database" | "balancer"> & { readonly ratioMax: number };

const claims: readonly Claim[] = [
  { strategy: "drain", database: "mariadb", balancer: "haproxy", ratioMax: 1.1 },
  { strategy: "handover", database: "mariadb", balancer: "haproxy", ratioMax: 1.25 },
];

export const rolloutLatency: Bench = {
  name: "rollout-latency",
  summary: "rollouts of three nodes under traffic of all kinds, by drain and by hand-over: p99 against the time before",
  async run({ scale, progress }) {
    const rounds = Math.max(1, Math.round(roundsAll * scale));
    const figures: Figure[] = [];
    for (const { ratioMax, ...claim } of claims) {
      const [ratios, p99s, worst]: [number[], number[], number[]] = [[], [], []];
      for (let seed = 1; seed <= rounds; seed++) {
        const { control, rollout } = await measured({ ...claim, seed });
        ratios.push(rollout.p99Ms / control.p99Ms);
        p99s.push(rollout.p99Ms);
        worst.push(rollout.maxMs);
        progress(
          `${claim.strategy} ${seed} of ${rounds}: p99 ${control.p99Ms} ms before, ${rollout.p99Ms} ms during; the longest ${control.maxMs} and ${rollout.maxMs} ms`,
        );
      }
      const name = `${claim.strategy} (${claim.database}, ${claim.balancer})`;
      figures.push(
        { what: `${name}: p99 during the rollout, median`, value: median(p99s), unit: "ms" },
        {
          what: `${name}: p99 against the time before, median`,
          value: median(ratios),
          unit: "x",
          bound: { atMost: ratioMax },
        },
        { what: `${name}: the same, worst`, value: Math.max(...ratios), unit: "x" },
        {
          what: `${name}: longest request`,
          value: Math.max(...worst),
          unit: "ms",
          bound: { atMost: stallMsMax },
        },
      );
    }
    return figures;
  },
};

/** Throws where the rollout did not end well: its figures would mean nothing. */
async function measured(choice: Omit<Claim, "ratioMax"> & { readonly seed: number }) {
  const folder = await mkdtemp(join(tmpdir(), "perennial-bench-"));
  const range = { from: "newton", to: "ocata" } as const;
  const options: DemoOptions = { ...range, ...choice, folder, nodes: 3, keep: false, before };
  const { recorder, rollout } = await runDemo(options, initialState(range), new AbortController().signal);
  if (rollout.code !== 0 || recorder.failed > 0)
    throw new Error(
      `the rollout ended with ${rollout.code}, and ${recorder.failed} requests failed: ${rollout.stderr}`,
    );
  return { control: recorder.latency("control"), rollout: recorder.latency("rollout") };
}
