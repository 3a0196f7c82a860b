// A console that does not start says why: the demo goes on without it, with that sentence in the place of the address.
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startConsole } from "./console-process.ts";

test("console: what the command says is what it failed with", async () => {
  await assert.rejects(startConsole("/nowhere/fleet.yaml", { cwd: tmpdir() }), /\/nowhere\/fleet\.yaml/);
});

test("console: a process that cannot be started at all is told, too", async () => {
  await assert.rejects(startConsole("fleet.yaml", { cwd: join(tmpdir(), "perennial-no-such-folder") }), /ENOENT/);
});
