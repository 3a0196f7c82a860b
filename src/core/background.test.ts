import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { getPriority } from "node:os";
import { test } from "node:test";
import { toBackground } from "./background.ts";

test("background: a process put there is behind this one, and one that has ended is nobody's trouble", async () => {
  const child = spawn("cat", { stdio: ["pipe", "ignore", "inherit"] });
  await once(child, "spawn");
  toBackground(child);
  assert(child.pid !== undefined && getPriority(child.pid) > getPriority());
  child.stdin.end();
  await once(child, "exit");
  toBackground(child);
  toBackground({ pid: undefined });
});
