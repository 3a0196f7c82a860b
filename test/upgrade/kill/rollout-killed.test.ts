// The rollout is killed with -9 at every step boundary, each time started again, and comes to the same end; clients notice nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { databasesFor, isFull } from "../scope.ts";
import { rollWithKills } from "./killed-rollout.ts";

for (const database of databasesFor("mariadb")) {
  const balancer = database === "sqlite" ? "builtin" : "haproxy";
  test(`the rollout is killed at its step boundaries and resumed: ${database}, ${balancer}`, {
    timeout: 1_800_000,
  }, async (t) => {
    // Every boundary in a full run, every third one otherwise.
    let seen = 0;
    const every = isFull ? 1 : 3;
    const { kills, passed } = await rollWithKills({
      database,
      balancer,
      seed: 5,
      killer: (_boundary, _event, hands) => {
        if (seen++ % every === 0) hands.killRollout();
      },
    });
    t.diagnostic(`killed ${kills.length} times: ${kills.join(", ")}`);
    assert(kills.length >= (isFull ? 20 : 6), `only ${kills.length} kills`);
    const steps = [...passed].map((boundary) => boundary.replace(/^(result|decision) /, ""));
    for (const step of ["expand", "migrate", "contract", "drain n1", "start n1", "enable n1", "enable n3"])
      assert(steps.includes(step), `${step} was passed`);
    // A node that was drained while nobody ran the rollout may have ended before the next one looks: it need not be stopped then.
    assert(
      steps.some((step) => step.startsWith("stop ")),
      "a node was stopped",
    );
  });
}
