// What the decision core promises of batches, and of what lies between them: health, the balancer, the soak, the canary.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeView } from "./snapshot.ts";
import { done, expectStep, fresh, installed, look, node, two } from "./testing/decision-scene.ts";

test("batches: so many nodes are moved at once, the last size goes for all that follow, and the floor holds", () => {
  const [n2, n3, n4, n5] = [node("n2"), node("n3"), node("n4"), node("n5")];
  const change = { batches: [1, 2] as [number, number], servingMin: 2 };
  const out = (name: string) => node(name, { rotation: { state: "drain" }, process: "stopping" });
  const due = { due: "contract" } as const;
  expectStep(look([done("n1"), n2, n3, n4, n5], due), "drain n2", change);
  expectStep(look([done("n1"), out("n2"), n3, n4, n5], due), "drain n3", change);
  const full = expectStep(look([done("n1"), out("n2"), out("n3"), n4, n5], due), "wait n2", change);
  assert.deepEqual("also" in full ? full.also : [], ["stop n3"]);
  expectStep(look([done("n1"), done("n2"), out("n3"), n4, n5], due), "wait n3", change);
  expectStep(look([done("n1"), done("n2"), done("n3"), n4, n5], due), "drain n4", change);
  expectStep(look([done("n1"), out("n2"), n3, n4, n5], due), "wait n2", { ...change, servingMin: 4 });
  expectStep(look([n2, out("n3"), n4, n5], { due: "migrate" }), "wait n3", { batches: [3], servingMin: 0 });
});
test("batches: a problem with one node stops no other that is out, and nothing new is taken out", () => {
  const change = { batches: [3] as [number], servingMin: 0 };
  const ill = node("n1", { ...fresh, healthy: false, processMs: 5_001 });
  const due = { due: "contract" } as const;
  expectStep(look([ill, node("n2", installed), node("n3")], due), "start n2", change);
  expectStep(look([ill, node("n2", { ...fresh, healthy: false }), node("n3")], due), "wait n2", change);
  expectStep(look([ill, done("n2"), node("n3")], due), "pause n1", change);
  const leaving = node("n2", { rotation: { state: "drain" }, process: "stopping" });
  expectStep(look([ill, leaving, node("n3")], due), "pause n1", change);
});
test("batches: one that is waited for too long is so also while another one is waited for", () => {
  const starting = { ...fresh, healthy: false, rotation: { state: "ready", up: false } } as const;
  const unwell = { ...done("n1"), healthy: false };
  const change = { batches: [3] as [number], servingMin: 2 };
  const seen = (first: NodeView, waits: Record<string, number>) =>
    look([first, node("n2", starting), node("n3")], {
      due: "contract",
      memory: { waits, servingMs: {}, judgedNodes: 0, failed: null },
    });
  for (const [first, key] of [
    [node("n1", starting), "start n1"],
    [unwell, "up n1"],
  ] as const) {
    const decision = expectStep(seen(first, { [key]: 5_001, "start n2": 4_900 }), "wait n2", change);
    assert.deepEqual("also" in decision ? decision.also : [], [key]);
    expectStep(seen(first, { [key]: 5_101, "start n2": 5_001 }), "pause n1", change);
  }
});
test("batches: on the way back one that could hand over does not go before a later one that is held by the floor", () => {
  const change = { strategy: "handover", batches: [6] as [number], servingMin: 2 } as const;
  const newer = { configRelease: "ocata", release: "ocata" } as const;
  const starting = node("n2", { ...fresh, configRelease: "newton", release: "newton", healthy: false });
  const nodes = [node("n1", { ...newer, handsOver: true }), starting, node("n3", newer)];
  const due = { due: "revert" } as const;
  const back = { ...change, way: "back", target: "newton" } as const;
  assert.match(expectStep(look(nodes, due), "wait n2", back).why, /draining n3 would leave 1 serving/);
  expectStep(look([nodes[0] ?? starting, node("n2"), node("n3", newer)], due), "drain n3", back);
  const onTheWay = [node("n1"), node("n2", { ...fresh, healthy: false }), node("n3", { handsOver: true })];
  expectStep(look(onTheWay, { due: "contract" }), "hand-over n3", change);
});
test("health: a node that was moved serves for a while before the next one goes, and before the contract", () => {
  const memory = { waits: {}, servingMs: { n1: 1_999 }, judgedNodes: 0, failed: null };
  const due = { due: "contract" } as const;
  const change = { minHealthyMs: 2_000 };
  expectStep(look([done("n1"), ...two], { ...due, memory }), "wait n1", change);
  const settled = { ...memory, servingMs: { n1: 2_000 } };
  expectStep(look([done("n1"), ...two], { ...due, memory: settled }), "drain n2", change);
  expectStep(look([done("n1")], { ...due, memory }), "wait n1", change);
  expectStep(look([done("n1")], { ...due, memory: settled }), "contract", change);
});
test("balancer: after a reload nobody is taken out until it has forgotten what it knew before; who is out comes back", () => {
  const due = { due: "contract", balancerOutdatedMs: 2_500 } as const;
  assert.match(expectStep(look([done("n1"), ...two], due), "wait").why, /for 3 s yet/);
  expectStep(look([node("n1", { ...fresh, healthy: true, gate: "passed" }), ...two], due), "enable n1");
  expectStep(look([done("n1"), done("n2"), done("n3")], due), "contract");
  expectStep(look([done("n1"), ...two], { ...due, balancerOutdatedMs: 0 }), "drain n2");
});
test("soak: the contract waits until every node has served the target for long enough", () => {
  const all = [done("n1"), done("n2")];
  expectStep(look(all, { due: "contract", soakedMs: 9_999 }), "wait", { soakMs: 10_000 });
  expectStep(look(all, { due: "contract", soakedMs: 10_000 }), "contract", { soakMs: 10_000 });
});

const rule = { windowMs: 60_000, requestsMin: 10, errorRateMax: 0.01, p99RatioMax: 2, onFailure: "pause" } as const;
const group = (nodes: string[], errors: number) => ({ nodes, requests: 1_000, errors, p99Ms: 10 });
const figures = (errors: number, windowMs = 60_000) => {
  return { windowMs, new: group(["n1"], errors), old: group(["n2", "n3"], 0) };
};
test("canary: after a batch the new nodes are compared with the old ones before the next one goes, once", () => {
  const nodes = [done("n1"), ...two];
  const change = { canary: rule };
  expectStep(look(nodes, { due: "contract" }), "wait", change);
  expectStep(look(nodes, { due: "contract", canary: figures(0, 1_000) }), "wait", change);
  expectStep(look(nodes, { due: "contract", canary: figures(0) }), "judge", change);
  const memory = { waits: {}, servingMs: {}, judgedNodes: 1, failed: null };
  expectStep(look(nodes, { due: "contract", canary: figures(0), memory }), "drain n2", change);
  expectStep(look([done("n1"), done("n2"), node("n3")], { due: "contract", memory }), "wait", change);
  const all = [done("n1"), done("n2"), done("n3")];
  expectStep(look(all, { due: "contract", memory }), "contract", change);
  // A node that had died came back beside the first batch: its end was stepped over.
  const over = { ...change, batches: [1, 2] as const };
  expectStep(look([done("n1"), done("n2"), node("n3")], { due: "contract", canary: figures(0) }), "judge", over);
  expectStep(look([done("n1"), done("n2"), node("n3")], { due: "contract", memory }), "drain n3", over);
});
test("canary: new nodes that fail more pause the rollout or turn it back, with the figures", () => {
  const seen = look([done("n1"), ...two], { due: "contract", canary: figures(50, 20_000) });
  const pause = expectStep(seen, "pause", { canary: rule });
  assert.match(pause.why, /50 of 1000 failed.*glance-rollout rollback/);
  assert.deepEqual("figures" in pause && pause.figures, figures(50, 20_000));
  expectStep(seen, "retreat", { canary: { ...rule, onFailure: "rollback" } });
  expectStep({ ...seen, due: "revert" }, "drain n1", { canary: rule, way: "back", target: "newton" });
});
test("canary: where too little is asked of the new nodes it is not judged, and a person decides", () => {
  const memory = { waits: { canary: 300_001 }, servingMs: {}, judgedNodes: 0, failed: null };
  const few = { ...figures(0), new: { ...group(["n1"], 0), requests: 3 } };
  const seen = look([done("n1"), ...two], { due: "contract", canary: few, memory });
  assert.match(expectStep(seen, "pause", { canary: rule }).why, /too few requests.*requests_min/);
});
test("until canary: the first batch is moved and judged, and the others are left", () => {
  const nodes = [done("n1"), ...two];
  expectStep(look(nodes, { due: "contract", canary: figures(0) }), "judge", { canary: rule, until: "canary" });
  const memory = { waits: {}, servingMs: {}, judgedNodes: 1, failed: null };
  expectStep(look(nodes, { due: "contract", memory }), "reach", { canary: rule, until: "canary" });
  expectStep(look(nodes, { due: "contract" }), "reach", { until: "canary" });
  expectStep(look([node("n1"), ...two], { due: "contract" }), "drain n1", { until: "canary" });
});
