// A stored plan holds for the fleet it was made for, and says what changed where it does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlanFacts } from "./stored-plan.ts";
import { changesSince, readPlan, writePlan } from "./stored-plan.ts";

const facts: PlanFacts = {
  target: "ocata",
  due: "expand",
  nodes: { n1: { release: "newton", serving: true }, n2: { release: "newton", serving: true } },
  settings: { drain: "a", gates: "b" },
};

test("nothing changed: the plan holds", () => assert.deepEqual(changesSince(facts, structuredClone(facts)), []));

test("what changed is named, each thing by itself", () => {
  const now: PlanFacts = {
    target: "pike",
    due: "migrate",
    nodes: { n1: { release: "ocata", serving: true }, n3: { release: "newton", serving: true } },
    settings: { drain: "x", gates: "b", batches: "c" },
  };
  assert.deepEqual(changesSince(facts, now), [
    "the target was ocata and is pike",
    "the database's next phase was expand and is migrate",
    "n1 served newton and serves ocata",
    "node n2 is gone from the fleet file",
    "node n3 is new",
    "drain changed in the fleet file",
    "batches changed in the fleet file",
  ]);
  const down = { ...facts, nodes: { ...facts.nodes, n2: { release: "newton", serving: false } } };
  assert.deepEqual(changesSince(facts, down), ["n2 does not serve any more"]);
  assert.deepEqual(changesSince(down, facts), ["n2 serves again"]);
});

test("a plan comes back as it was written, in ASCII; one that is no plan is refused", () => {
  const plan = { planId: "p", told: "José", facts, plan: { target: "ocata", steps: [], problems: [], notes: [] } };
  const text = writePlan(plan);
  assert.match(text, /^[\x20-\x7e]+$/);
  assert.deepEqual(readPlan(text), plan);
  assert.throws(() => readPlan("{"), { code: "rollout.plan_outdated" });
});
