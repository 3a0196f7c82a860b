import assert from "node:assert/strict";
import { test } from "node:test";
import { runtimeOptions } from "./worker-process.ts";

test("a worker's heap is kept small, unless the operator says otherwise", () => {
  assert.deepEqual(runtimeOptions([], "--max-heap-size=900"), []);
  const [young, old = ""] = runtimeOptions([]);
  assert.equal(young, "--max-semi-space-size=8");
  assert.match(old, /^--max-old-space-size=\d+$/);
  assert(Number(old.split("=")[1]) <= 2_000, old);
  assert.deepEqual(runtimeOptions(["--enable-source-maps"], "--trace-warnings"), [young, old, "--enable-source-maps"]);
  assert.deepEqual(runtimeOptions([], "--max_old_space_size=512"), ["--max-semi-space-size=8"]);
  assert.deepEqual(runtimeOptions(["--max-old-space-size=512"]).at(-1), "--max-old-space-size=512");
});
