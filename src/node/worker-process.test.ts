import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { runtimeOptions } from "./worker-process.ts";

test("a worker's heap is kept small, unless the operator says otherwise", () => {
  assert.deepEqual(runtimeOptions([], "--max-heap-size=900"), []);
  const [young, old = "", ...growth] = runtimeOptions([]);
  assert.equal(young, "--max-semi-space-size=8");
  assert.match(old, /^--max-old-space-size=\d+$/);
  assert(Number(old.split("=")[1]) <= 2_000, old);
  const own = "--enable-source-maps";
  assert.deepEqual(runtimeOptions([own], "--trace-warnings"), [young, old, ...growth, own]);
  assert.deepEqual(runtimeOptions([], "--max_old_space_size=512"), [young]);
  assert.deepEqual(runtimeOptions([], "--max-semi-space-size=16"), [old, ...growth]);
  assert.deepEqual(runtimeOptions(["--max-old-space-size=512"]).at(-1), "--max-old-space-size=512");
});

test("a worker's runtime takes what it is told of its heap", () => {
  assert.equal(spawnSync(process.execPath, [...runtimeOptions([]), "-e", "0"]).status, 0);
});
