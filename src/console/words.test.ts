// What a rollout does and will do next, in words.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JournalLine } from "./model.ts";
import { nowOf } from "./words.ts";

const line = (does: string, change: Partial<JournalLine> = {}): JournalLine => ({
  seq: 1,
  atMs: 5,
  time: "",
  kind: "decision",
  phase: "nodes",
  node: "n1",
  text: `${does} n1: it serves newton`,
  data: { do: does },
  ...change,
});

test("words: what comes next is a sentence, and a node's name in it stays as it is", () => {
  for (const does of [
    "back-up",
    "expand",
    "migrate",
    "contract",
    "revert",
    "drain",
    "stop",
    "install",
    "start",
    "probe",
  ]) {
    const { next } = nowOf(line(does), null, null);
    assert.match(next ?? "", /^(?:n1 |[A-Z]).*\.$/, does);
  }
  for (const key of [
    "settle",
    "stop",
    "start",
    "up",
    "capacity",
    "canary",
    "soak",
    "strangers",
    "leaving",
    "request",
  ]) {
    const { next, waits } = nowOf(line("wait", { data: { do: "wait", key: `${key} n1` } }), null, null);
    assert.match(next ?? "", /^(?:n1 |[A-Z]).*\.$/, key);
    assert.equal(waits, true);
  }
});

test("words: a step that failed says so, and what is done about it", () => {
  const now = nowOf(
    line("start"),
    null,
    line("start", { kind: "result", text: "it ended", data: { do: "start", ok: false } }),
  );
  assert.deepEqual([now.doing, now.why], ["Failed: it ended", "start n1"]);
  assert.match(now.next ?? "", /tried again/);
});
