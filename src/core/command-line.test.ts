import assert from "node:assert/strict";
import { test } from "node:test";
import { joinCommand, splitCommand } from "./command-line.ts";

test("command line: blanks separate, quotes keep together", () => {
  assert.deepEqual(splitCommand('  node "/opt/new one/glance-api.js"  --config-file=a\\b '), [
    "node",
    "/opt/new one/glance-api.js",
    "--config-file=a\\b",
  ]);
  assert.deepEqual(splitCommand(""), []);
});

test("command line: whatever words are joined come apart as they were", () => {
  for (const words of [["a"], ["a b", ""], ['say "x"', "back\\slash", "\\ "], ["--x=1", 'q"'], ["\t"]])
    assert.deepEqual(splitCommand(joinCommand(words)), words);
});
