// The real runner, with its decisions, journal and lease, on simulated fleets where everything goes wrong: every promise holds, and bugs
// that were put in on purpose are found. `npm run simulate` looks at as many seeds as one likes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { plantedBugs } from "./testing/simulation/planted-bugs.ts";
import { drawScenario, type Scenario } from "./testing/simulation/scenario.ts";
import { shrink, simulate, traceOf } from "./testing/simulation/simulate.ts";

/** The same seeds each time: what is new is looked for by `npm run simulate`. A slow machine looks at the first of them only. */
const isFull = process.env.PERENNIAL_TESTS === "full";
const [seeds, seedsMin, msMax] = isFull ? [10_000, 500, 55_000] : [150, 20, 2_000];

test(`simulation: whatever goes wrong in up to ${seeds} rollouts, every promise is kept and every one comes to its end`, async () => {
  const beganMs = performance.now();
  for (let seed = 1; seed <= seeds; seed++) {
    if (seed > seedsMin && performance.now() - beganMs > msMax) break;
    const outcome = await simulate(seed);
    if (outcome.broken === null) continue;
    const { faults } = await shrink(outcome);
    assert.fail(await traceOf(seed, { change: (scenario) => ({ ...scenario, faults }) }));
  }
});

test("simulation: the same seed tells the same story", async () => {
  assert.equal(await traceOf(3), await traceOf(3));
});

for (const [name, { seams, found, faults, seed: first }] of Object.entries(plantedBugs)) {
  test(`simulation: it finds ${name}, and nothing where they are not`, async () => {
    const change = (scenario: Scenario) => ({ ...scenario, faults: [...scenario.faults, ...faults] });
    for (let seed = first; seed < first + 300; seed++) {
      const outcome = await simulate(seed, { seams, change });
      if (outcome.broken === null || !found.test(outcome.broken)) continue;
      const smallest = await shrink(outcome, { seams, change });
      assert(smallest.faults.length <= change(drawScenario(seed)).faults.length);
      assert((await traceOf(seed, { seams, change })).includes(`BROKEN: ${outcome.broken}`));
      assert.equal((await simulate(seed, { change })).broken, null, "without the bug the same seed is fine");
      return;
    }
    assert.fail("it was not found in 300 seeds");
  });
}
