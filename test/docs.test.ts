// The manual is complete: every error code and every exit code stands in docs/.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { exitCodes } from "../src/cli/exit-codes.ts";
import { errorCodes } from "../src/core/errors.ts";

test("docs: docs/errors.md documents exactly the codes that exist", () => {
  const documented = [...readFileSync("docs/errors.md", "utf8").matchAll(/^\| `([a-z_.]+)` \|/gm)].map(
    ([, code]) => code,
  );
  assert.deepEqual([...documented].sort(), [...errorCodes].sort());
});

test("docs: docs/exit-codes.md lists exactly the exit codes that exist", () => {
  const rows = readFileSync("docs/exit-codes.md", "utf8").matchAll(/^\| (\d+) \| (\w+) \|/gm);
  const documented = Object.fromEntries([...rows].map(([, code, name]) => [name, Number(code)]));
  assert.deepEqual(documented, { ...exitCodes });
});
