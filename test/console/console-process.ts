// `glance-rollout console` as a process of its own, with a token for orders.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { RunningFleet } from "../../demo/fleet.ts";
import { binary } from "../../demo/processes.ts";

export const token = "only-for-this-very-test-0123456789";

export type ConsoleProcess = { readonly address: string; stop(): Promise<void> };

/** On a port that is free, or on the one that is named. */
export async function startConsole(fleet: RunningFleet, port = 0): Promise<ConsoleProcess> {
  const tokenFile = join(fleet.folder, "console-token");
  writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
  const [program, script] = binary("glance-rollout");
  const control = ["--allow-control", "--token-file", tokenFile];
  const args = [script, "console", "--fleet", fleet.file, "--listen", `127.0.0.1:${port}`, "--json", ...control];
  const child = spawn(program, args, { cwd: fleet.folder, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([once(lines, "line"), ended.then(() => null)]);
  assert(line, "the console has started");
  const { address } = JSON.parse(String(line[0])) as { address: string };
  return {
    address,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
