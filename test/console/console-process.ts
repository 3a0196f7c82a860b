// The console of a test's fleet as a process of its own, with a token for orders.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ConsoleProcess, startConsole as start } from "../../demo/console-process.ts";
import type { RunningFleet } from "../../demo/fleet.ts";

export const token = "only-for-this-very-test-0123456789";

/** On a port that is free, or on the one that is named. */
export function startConsole(fleet: RunningFleet, port = 0): Promise<ConsoleProcess> {
  const tokenFile = join(fleet.folder, "console-token");
  writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
  return start(fleet.file, { cwd: fleet.folder, port, more: ["--allow-control", "--token-file", tokenFile] });
}
