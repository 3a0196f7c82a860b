// The decision core where nodes hand over in place: what is done when, and what contract waits for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { done, expectStep, fresh, gone, look, node } from "./testing/decision-scene.ts";

test("hand-over: nodes are upgraded where they are, after the schema and below any floor; one that cannot is drained", () => {
  const change = { strategy: "handover", servingMin: 3 } as const;
  const able = { handsOver: true };
  const all = [node("n1", able), node("n2", able), node("n3")];
  expectStep(look(all, { backup: "missing" }), "back-up", change);
  expectStep(look(all), "expand", change);
  expectStep(look(all, { due: "migrate" }), "migrate", change);
  expectStep(look(all, { due: "contract" }), "hand-over n1", change);
  expectStep(look(all, { due: "contract" }), "drain n1", { servingMin: 2 });
  const handed = node("n1", { ...able, ...fresh, rotation: { state: "ready", up: true } });
  expectStep(look([handed, ...all.slice(1)], { due: "contract" }), "probe n1", change);
  expectStep(look([done("n1"), ...all.slice(1)], { due: "contract" }), "hand-over n2", change);
  expectStep(look([done("n1"), done("n2"), node("n3")], { due: "contract" }), "drain n3", { ...change, servingMin: 2 });
  expectStep(look([done("n1"), node("n2", { ...able, ...gone })], { due: "contract" }), "disable n2", change);
});
test("hand-over: contract waits for a process that may still write, and at last leaves that to a person; an older node is told first", () => {
  const all = [done("n1"), done("n2")];
  const strangers = [{ name: "n1~77", release: "newton", heartbeatAgeSeconds: 1, leaves: "n1" }];
  const due = "contract";
  assert.match(expectStep(look(all, { due, strangers }), "wait").why, /a process of n1 that has handed over/);
  const memory = { servingMs: {}, judgedNodes: 0, waits: { leaving: 10_001 }, failed: null };
  expectStep(look(all, { due, strangers, memory }), "wait");
  const drain = { msMax: 10_000, policy: "pause" } as const;
  assert.match(expectStep(look(all, { due, strangers, memory }), "pause", { drain }).why, /run again when it is done/);
  const older = { name: "old9", release: "newton", heartbeatAgeSeconds: 4, leaves: null };
  assert.match(expectStep(look(all, { due, strangers: [...strangers, older] }), "wait").why, /old9/);
});
