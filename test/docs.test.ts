// The manual is complete: every error code and every exit code stands in docs/.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { exitCodes } from "../src/cli/exit-codes.ts";
import { lockFlags } from "../src/cli/manage-command.ts";
import { manageCommands } from "../src/cli/manage-commands.ts";
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

test("docs: docs/glance-manage.md has a part for every command, with every option of its own", () => {
  const parts = readFileSync("docs/glance-manage.md", "utf8").split(/^##+ /m);
  for (const { name, flags } of manageCommands) {
    const part = parts.find((one) => one.startsWith(`db ${name}\n`));
    assert(part, `db ${name}`);
    for (const { flag } of flags.filter((one) => !lockFlags.includes(one)))
      assert(part.includes(flag.split(/[ ,]/)[0] ?? ""), `db ${name} ${flag}`);
  }
});
