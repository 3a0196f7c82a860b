// Decisions about nodes of Glance: taken over, given back, and where none may be.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Change, expectStep, gone, look, node } from "../testing/decision-scene.ts";

const over = { target: "zed", takeover: "perennial" } as const;
const back = { target: "zed", takeover: "glance", way: "back" } as const;
const glance: Change = {
  configRelease: "zed",
  release: "zed",
  software: "glance",
  glance: "process 7: glance-api",
  transfers: null,
};
const ours: Change = { configRelease: "zed", release: "zed" };
const out = (sessions = 0) => ({ rotation: { state: "drain" as const, sessions } });
const neighbours = [node("n2", glance), node("n3", glance)];
const settled = { due: "nothing" as const };

test("a take-over drains a Glance, stops it when it has nothing left, installs ours, starts it and brings it back", () => {
  const steps: [Change, string][] = [
    [glance, "drain n1"],
    [{ ...glance, ...out(3) }, "wait"],
    [{ ...glance, ...out(), transfers: { count: 1, bytesLeft: null, etaSeconds: null } }, "wait"],
    [{ ...glance, ...out() }, "stop n1"],
    [{ ...glance, ...out(), process: "stopping" }, "wait"],
    [{ ...gone, configRelease: "zed", toInstall: true, ...out() }, "disable n1"],
    [{ ...gone, configRelease: "zed", toInstall: true, rotation: { state: "maint" } }, "install n1"],
    [{ ...gone, configRelease: "zed", rotation: { state: "maint" } }, "start n1"],
    [{ ...ours, starts: 1, rotation: { state: "maint" } }, "probe n1"],
    [{ ...ours, starts: 1, gate: "passed", rotation: { state: "maint" } }, "enable n1"],
    [{ ...ours, starts: 1, gate: "passed" }, "drain n2"],
  ];
  for (const [change, step] of steps)
    expectStep(look([node("n1", change), ...neighbours], settled), step.replace(/^wait$/, "wait n1"), over);
});

test("a take-over is over when every node is ours, and never touches the schema", () => {
  const nodes = ["n1", "n2", "n3"].map((name) => node(name, ours));
  assert.match(expectStep(look(nodes, settled), "finish", over).why, /every node is ours and serves zed/);
});

test("a Glance is not told to stop while it has requests, unless the policy is to cut", () => {
  const nodes = [node("n1", { ...glance, ...out(2) }), ...neighbours];
  const late = { ...settled, memory: { servingMs: {}, judgedNodes: 0, waits: { "settle n1": 20_000 }, failed: null } };
  const drain = (policy: "wait" | "pause" | "cut") => ({ ...over, drain: { msMax: 10_000, policy } });
  expectStep(look(nodes, late), "wait n1", drain("wait"));
  assert.match(expectStep(look(nodes, late), "pause n1", drain("pause")).why, /2 requests under way after 20 s/);
  expectStep(look(nodes, late), "stop n1", drain("cut"));
  expectStep(look(nodes, settled), "wait n1", drain("cut"));
});

test("what was taken over is given back in reverse order: ours drained and told to finish, then Glance started", () => {
  const [first, last] = [node("n1", ours), node("n3", ours)];
  const middle = node("n2", ours);
  expectStep(look([first, middle, last], settled), "drain n3", back);
  expectStep(look([first, middle, node("n3", { ...ours, ...out() })], settled), "stop n3", back);
  const left = { ...gone, configRelease: "zed", rotation: { state: "maint" } } as const;
  expectStep(look([first, middle, node("n3", left)], settled), "start n3", back);
  const returned = node("n3", { ...glance, starts: 1, gate: "passed" });
  expectStep(look([first, middle, returned], settled), "drain n2", back);
  const all = ["n1", "n2", "n3"].map((name) => node(name, glance));
  assert.match(expectStep(look(all, settled), "finish", back).why, /every node is Glance/);
});

test("a rollout does not go on while a node is a Glance, and says what to do", () => {
  const seen = [node("n1", glance), node("n2", ours), node("n3", ours)];
  assert.match(expectStep(look(seen), "pause n1", { target: "2026.1" }).why, /take it over first/);
});

test("a db sync of somebody else under old nodes pauses a rollout once, with its cause; the next run goes on with the nodes", () => {
  const nodes = [node("n1", ours), node("n2", ours), node("n3", ours)];
  const contracted = (told: boolean) => look(nodes, { ...settled, contracted: { to: "2024.1", told } });
  const decision = expectStep(contracted(false), "pause n1", { target: "2026.1" });
  assert(decision.do === "pause" && decision.cause === "contracted");
  assert.match(decision.why, /contracted to 2024\.1 while n1 serves zed.*somebody ran db sync/);
  expectStep(contracted(true), "drain n1", { target: "2026.1" });
  const same = look(nodes, { ...settled, contracted: { to: "wallaby", told: false } });
  expectStep(same, "drain n1", { target: "2026.1" });
});

test("a Glance that comes back after the contract, alone or besides ours, pauses a rollout with its process", () => {
  const done = { configRelease: "2026.1", release: "2026.1" } as const;
  const alone = look([node("n1", glance), node("n2", done), node("n3", done)], settled);
  assert.match(expectStep(alone, "pause n1", { target: "2026.1" }).why, /process 7: glance-api.*past it already/);
  const besides = look([node("n1", { ...done, glance: "process 7" }), node("n2", done), node("n3", done)], settled);
  assert.match(expectStep(besides, "pause n1", { target: "2026.1" }).why, /lives on its host again \(process 7\)/);
});
