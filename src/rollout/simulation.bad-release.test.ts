// A release that is bad on every node: whichever way it is bad, a rollout to it ends with the fleet taken back, and says what was wrong.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { BadRelease, Scenario } from "./testing/simulation/scenario.ts";
import { simulate, traceOf } from "./testing/simulation/simulate.ts";

const canary = { windowMs: 5_000, requestsMin: 50, errorRateMax: 0.01, p99RatioMax: 2 } as const;
const kinds: readonly { readonly bad: BadRelease; readonly says: RegExp; readonly minHealthyMs?: number }[] = [
  { bad: "fails its health", says: /runs, but its health check did not pass|did not become ready/ },
  { bad: "fails one in fifty", says: /the new nodes fail more often: new \d+ of \d+ failed/ },
  { bad: "three times slower", says: /the new nodes are slower: .*p99 120 ms; .*p99 40 ms/ },
  // It works for up to half a minute: no comparison tells, but a node has to serve for longer before the next one goes.
  { bad: "leaks", says: /did not stay up after 3 starts/, minHealthyMs: 40_000 },
];

for (const { bad, says, minHealthyMs = 0 } of kinds) {
  for (const onFailure of ["rollback", "pause"] as const) {
    for (const strategy of ["drain", "handover"] as const) {
      test(`bad release: one that ${bad} is taken back, by ${strategy}, on failure ${onFailure}`, async () => {
        const change = (drawn: Scenario): Scenario => ({
          ...drawn,
          nodes: 4,
          bad,
          requestsPerSecond: 50,
          unable: new Set(),
          faults: [],
          plan: {
            ...drawn.plan,
            servingMin: 1,
            batches: [1],
            minHealthyMs,
            soakMs: 0,
            until: null,
            strategy,
            canary: { ...canary, onFailure },
          },
        });
        for (const seed of [1, 2]) {
          const story = await traceOf(seed, { change });
          const { end } = await simulate(seed, { change });
          assert.equal(end, "rolled back", story);
          assert.match(story, says, story);
          const before = story.slice(0, story.search(says)).match(/decision (?:drain|hand-over) n(\d)/g) ?? [];
          assert.equal(new Set(before).size, 1, `no node but the first is moved: ${story}`);
        }
      });
    }
  }
}
