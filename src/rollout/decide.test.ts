// Each promise of the decision core, one case at a time; simulation.test.ts tries them all together.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decide } from "./decide.ts";
import {
  type Change,
  done,
  expectStep,
  fresh,
  gone,
  installed,
  look,
  node,
  plan,
  two,
} from "./testing/decision-scene.ts";

test("order: nothing is touched before a backup has been read back", () => {
  expectStep(look([node("n1"), ...two], { backup: "missing" }), "back-up");
  expectStep(look([node("n1", installed), ...two], { backup: "missing" }), "back-up");
});
test("order: the first node is drained, stopped, taken out and installed before the schema is touched", () => {
  expectStep(look([node("n1"), ...two]), "drain n1");
  const drained = { rotation: { state: "drain" } } as const;
  expectStep(look([node("n1", drained), ...two]), "stop n1");
  expectStep(look([node("n1", { ...drained, process: "stopping" }), ...two]), "wait n1");
  expectStep(look([node("n1", { ...gone, ...drained }), ...two]), "disable n1");
  expectStep(look([node("n1", { ...gone, rotation: { state: "maint" } }), ...two]), "install n1");
});
test("order: the first node starts only when the schema is expanded and every row migrated", () => {
  expectStep(look([node("n1", installed), ...two], { due: "expand" }), "expand");
  expectStep(look([node("n1", installed), ...two], { due: "migrate" }), "migrate");
  expectStep(look([node("n1", installed), ...two], { due: "contract" }), "start n1");
});
test("order: a started node is probed before it returns to rotation, and the next one waits for that", () => {
  expectStep(look([node("n1", { ...fresh, healthy: false }), ...two], { due: "contract" }), "wait n1");
  expectStep(look([node("n1", fresh), ...two], { due: "contract" }), "probe n1");
  expectStep(look([node("n1", { ...fresh, gate: "passed" }), ...two], { due: "contract" }), "enable n1");
  const entering = { ...fresh, gate: "passed", rotation: { state: "ready", up: false } } as const;
  expectStep(look([node("n1", entering), ...two], { due: "contract" }), "wait n1");
  expectStep(look([done("n1"), ...two], { due: "contract" }), "drain n2");
});
test("order: contract comes when every node serves the target, and then the rollout is finished", () => {
  const all = [done("n1"), done("n2"), done("n3")];
  expectStep(look(all, { due: "contract" }), "contract");
  expectStep(look(all, { due: "migrate" }), "migrate");
  expectStep(look(all, { due: "nothing" }), "finish");
});
test("order: between releases that differ in nothing of the database only the nodes move", () => {
  const stein = { target: "stein" } as const;
  const rocky = (name: string, change: Change = {}) =>
    node(name, { configRelease: "rocky", release: "rocky", ...change });
  const others = [rocky("n2"), rocky("n3")];
  const nothing = { due: "nothing" } as const;
  expectStep(look([rocky("n1"), ...others], { ...nothing, backup: "missing" }), "back-up", stein);
  expectStep(look([rocky("n1"), ...others], nothing), "drain n1", stein);
  expectStep(look([rocky("n1", { ...installed, configRelease: "stein" }), ...others], nothing), "start n1", stein);
  const all = ["n1", "n2", "n3"].map((name) => node(name, { configRelease: "stein", release: "stein" }));
  expectStep(look(all, nothing), "finish", stein);
});
test("order: rows that an old node wrote after they were migrated are migrated again, before a node starts and before contract", () => {
  const train = { target: "train" } as const;
  const at = (release: "rocky" | "train", name: string, change: Change = {}) =>
    node(name, { configRelease: release, release, ...change });
  const again = { due: "migrate" } as const;
  expectStep(look([at("train", "n1"), at("rocky", "n2"), at("rocky", "n3")], again), "drain n2", train);
  const second = { ...installed, configRelease: "train" } as const;
  expectStep(look([at("train", "n1"), at("rocky", "n2", second), at("rocky", "n3")], again), "migrate", train);
  expectStep(
    look(
      ["n1", "n2", "n3"].map((name) => at("train", name)),
      again,
    ),
    "migrate",
    train,
  );
  // What it wrote in the last moment may make contract refuse: the next look finds it due.
  const failed = { key: "contract", count: 1, text: "Database contraction did not run" };
  const refused = { ...again, memory: { servingMs: {}, judgedNodes: 0, waits: {}, failed } };
  expectStep(
    look(
      ["n1", "n2", "n3"].map((name) => at("train", name)),
      refused,
    ),
    "migrate",
    train,
  );
});
test("order: a jump over releases is one expand, one migrate and one contract", () => {
  const target = { target: "2026.1" } as const;
  const ready = node("n1", { ...installed, configRelease: "2026.1" });
  for (const [due, step] of [
    ["expand", "expand"],
    ["migrate", "migrate"],
    ["contract", "start n1"],
  ] as const)
    expectStep(look([ready, ...two], { due }), step, target);
});
test("order: a fleet that is where it should be needs no backup", () => {
  expectStep(look([done("n1"), done("n2"), done("n3")], { due: "nothing", backup: "missing" }), "finish");
});

test("capacity: a drain that would break the floor waits, then pauses", () => {
  const sick = node("n3", { healthy: false });
  const seen = look([done("n1"), node("n2"), sick], { due: "contract" });
  // The sick node serves nobody, so it may go first.
  expectStep(seen, "drain n3");
  const thin = look([node("n1"), node("n2", { rotation: { up: false } })], { due: "contract" });
  expectStep(thin, "drain n2", { servingMin: 1 });
  const full = look([node("n1"), node("n2")], { due: "contract" });
  expectStep(full, "wait n1", { servingMin: 2 });
  const waited = {
    ...full,
    memory: { servingMs: {}, judgedNodes: 0, waits: { "capacity n1": 5_001 }, failed: null },
  };
  assert.match(expectStep(waited, "pause n1", { servingMin: 2 }).why, /would leave 1 serving; the floor is 2/);
});
test("capacity: a node out of rotation is finished before another one leaves", () => {
  expectStep(look([node("n1"), node("n2", fresh), node("n3")], { due: "contract" }), "probe n2");
  expectStep(look([node("n1"), node("n2", { rotation: { state: "drain" } }), node("n3")]), "stop n2");
});
test("capacity: a node that died in rotation serves again as what it was while the schema is not ready and it is needed", () => {
  const dead = node("n2", gone);
  expectStep(look([node("n1", installed), dead, node("n3")], { due: "migrate" }), "start n2");
  // It may not come up: then the rollout goes on instead of trying for ever.
  expectStep(look([node("n1", installed), { ...dead, starts: 2 }, node("n3")], { due: "migrate" }), "migrate");
  // Where the schema is ready it is upgraded at once.
  expectStep(look([done("n1"), dead, node("n3")], { due: "contract" }), "disable n2");
  // Somebody configured it for what nobody serves: whether the schema fits that is not known, and it is brought up as the target.
  const other = node("n2", { ...gone, configRelease: "queens" });
  const nodes = [node("n1", { ...installed, configRelease: "rocky" }), other, node("n3")];
  expectStep(look(nodes, { due: "migrate" }), "migrate", { target: "rocky" });
});

test("drain: short requests are waited for a moment, long transfers finish in the stopping node", () => {
  const busy = (sessions: number, transfers: number) =>
    node("n1", {
      rotation: { state: "drain", sessions },
      transfers: { count: transfers, bytesLeft: 5_000_000, etaSeconds: 3 },
    });
  expectStep(look([busy(3, 1), ...two]), "wait n1");
  expectStep(look([busy(1, 1), ...two]), "stop n1");
  const waited = { servingMs: {}, judgedNodes: 0, waits: { "settle n1": 1_001 }, failed: null };
  expectStep(look([busy(3, 1), ...two], { memory: waited }), "stop n1");
});
test("drain: past the deadline the operator's policy decides", () => {
  const late = node("n1", {
    process: "stopping",
    processMs: 10_001,
    rotation: { state: "drain", sessions: 1 },
    transfers: { count: 1, bytesLeft: 7_500_000, etaSeconds: 30 },
  });
  const seen = look([late, ...two]);
  assert.match(expectStep(seen, "wait n1").why, /n1 holds 1 transfer, 7\.5 MB left, about 30 s/);
  expectStep(seen, "pause n1", { drain: { msMax: 10_000, policy: "pause" } });
  expectStep(seen, "cut n1", { drain: { msMax: 10_000, policy: "cut" } });
});
test("drain: a node that is told to stop is never told so again", () => {
  for (const state of ["drain", "maint"] as const)
    expectStep(look([node("n1", { process: "stopping", rotation: { state } }), ...two]), "wait n1");
});

test("start: a node that does not get healthy, or does not stay up, pauses the rollout and stays out", () => {
  const ill = node("n1", { ...fresh, healthy: false, processMs: 5_001 });
  expectStep(look([ill, ...two], { due: "contract" }), "pause n1");
  const dead = node("n1", { ...installed, starts: 2, lastWords: "exit 71: the port is taken" });
  assert.match(expectStep(look([dead, ...two], { due: "contract" }), "pause n1").why, /2 starts: exit 71/);
});
test("gate: a node that keeps failing its synthetic request pauses the rollout", () => {
  const failed = { key: "probe n1", count: 3, text: "download: 500" };
  const seen = look([node("n1", fresh), ...two], {
    due: "contract",
    memory: { servingMs: {}, judgedNodes: 0, waits: {}, failed },
  });
  assert.match(decide(plan, seen).why, /probe n1 failed 3 times: download: 500/);
  assert.equal(decide(plan, seen).do, "pause");
});
test("gate: a balancer that forgot its states let an unproven node in; out it goes, or is probed where the floor forbids that", () => {
  const inside = { ...fresh, rotation: { state: "ready", up: true } } as const;
  expectStep(look([node("n1", inside), ...two], { due: "contract" }), "drain n1");
  expectStep(look([node("n1", inside), node("n2")], { due: "contract" }), "probe n1");
});
test("gate: in rotation by the balancer's mistake while it starts, it is waited for, and not probed before it answers", () => {
  const starting = { ...fresh, healthy: false, rotation: { state: "ready", up: false } } as const;
  const seen = (waitedMs: number, processMs = 0) => {
    const nodes = ["n1", "n2"].map((name) => node(name, { ...starting, processMs }));
    const memory = {
      servingMs: {},
      judgedNodes: 0,
      waits: { "start n1": waitedMs, "start n2": waitedMs },
      failed: null,
    };
    return look([...nodes, node("n3")], { due: "contract", memory });
  };
  for (const strategy of ["drain", "handover"] as const) {
    const floor = { servingMin: 2, strategy } as const;
    expectStep(seen(100), "wait n1", floor);
    expectStep(seen(100, 999_999), "wait n1", floor);
    assert.match(expectStep(seen(5_001), "pause n1", floor).why, /n1 is in rotation and does not answer/);
  }
});

test("contract: a live older node that is not of this fleet blocks it, at last with a pause", () => {
  const all = [done("n1"), done("n2")];
  const strangers = [{ name: "old9", release: "newton", heartbeatAgeSeconds: 4, leaves: null }];
  expectStep(look(all, { due: "contract", strangers }), "wait");
  const waited = { servingMs: {}, judgedNodes: 0, waits: { strangers: 20_001 }, failed: null };
  assert.match(expectStep(look(all, { due: "contract", strangers, memory: waited }), "pause").why, /old9/);
});
test("a node newer than the target is left alone", () => {
  assert.match(expectStep(look([done("n1"), ...two]), "pause n1", { target: "newton" }).why, /newer than the target/);
});

test("request: an abort ends it before anything else is done; a pause waits before the next step, and not past the end", () => {
  const told = "ops@host";
  const nodes = [node("n1"), ...two];
  const failed = { servingMs: {}, judgedNodes: 0, waits: {}, failed: { key: "expand", count: 9, text: "no" } };
  expectStep(look(nodes, { request: { do: "abort", told }, memory: failed, backup: "missing" }), "abort");
  const paused = expectStep(look(nodes, { request: { do: "pause", told }, backup: "missing" }), "wait");
  assert.match(paused.why, /paused by ops@host; go on with glance-rollout resume/);
  const all = ["n1", "n2", "n3"].map((name) => done(name));
  expectStep(look(all, { request: { do: "pause", told }, due: "nothing" }), "finish");
});
test("until: it ends after the phase it was asked to end after, and not before", () => {
  const nodes = [node("n1"), ...two];
  expectStep(look(nodes, { backup: "missing" }), "back-up", { until: "backup" });
  expectStep(look(nodes), "reach", { until: "backup" });
  expectStep(look(nodes), "expand", { until: "expand" });
  expectStep(look(nodes, { due: "migrate" }), "reach", { until: "expand" });
  expectStep(look(nodes), "expand", { until: "migrate" });
  expectStep(look(nodes, { due: "migrate" }), "migrate", { until: "migrate" });
  expectStep(look(nodes, { due: "contract" }), "reach", { until: "migrate" });
  const all = ["n1", "n2", "n3"].map((name) => done(name));
  expectStep(look([done("n1"), ...two], { due: "contract" }), "drain n2", { until: "nodes", servingMin: 1 });
  assert.match(expectStep(look(all, { due: "contract" }), "reach", { until: "nodes" }).why, /contract is pending/);
});

const back = { way: "back", target: "newton" } as const;
test("back: nodes return in reverse order by the same steps, and only then the schema", () => {
  const [n1, n2, n3] = [done("n1"), done("n2"), done("n3")];
  expectStep(look([n1, n2, n3], { due: "revert" }), "drain n3", back);
  const taken = { ...gone, configRelease: "ocata", rotation: { state: "maint", up: false } } as const;
  expectStep(look([n1, n2, node("n3", taken)], { due: "revert" }), "install n3", back);
  const placed = { ...gone, rotation: { state: "maint", up: false } } as const;
  expectStep(look([n1, n2, node("n3", placed)], { due: "revert" }), "start n3", back);
  expectStep(look([n1, n2, node("n3")], { due: "revert" }), "drain n2", back);
  const all = [node("n1"), ...two];
  expectStep(look(all, { due: "revert" }), "revert", back);
  expectStep(look(all, { due: "nothing" }), "finish", back);
});
test("back: never after a contract has begun, never under a newer node of somebody else, and no backup is waited for", () => {
  const all = [node("n1"), ...two];
  assert.match(expectStep(look(all, { due: "closed" }), "pause", back).why, /no way back/);
  const strangers = [{ name: "new9", release: "ocata", heartbeatAgeSeconds: 4, leaves: null }];
  expectStep(look(all, { due: "revert", strangers }), "wait", back);
  expectStep(look(all, { due: "revert", backup: "missing" }), "revert", back);
  assert.match(expectStep(look(all, { due: "revert" }), "pause n1", { way: "back", target: "ocata" }).why, /older/);
});
test("back: a node is not taken out below the floor", () => {
  expectStep(look([done("n1"), done("n2")], { due: "revert" }), "wait n2", back);
});
