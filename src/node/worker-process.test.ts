import assert from "node:assert/strict";
import { test } from "node:test";
import { runtimeOptions } from "./worker-process.ts";

test("a worker's heap is kept small, unless the operator says otherwise", () => {
  assert.deepEqual(runtimeOptions([]), ["--max-semi-space-size=8", "--max-old-space-size=2000"]);
  assert.deepEqual(runtimeOptions(["--enable-source-maps"], "--trace-warnings"), [
    "--max-semi-space-size=8",
    "--max-old-space-size=2000",
    "--enable-source-maps",
  ]);
  assert.deepEqual(runtimeOptions([], "--max_old_space_size=512"), ["--max-semi-space-size=8"]);
  assert.deepEqual(runtimeOptions(["--max-old-space-size=512"]).at(-1), "--max-old-space-size=512");
});
