// Runs `glance-rollout run` as its own process, as an operator would, and hands on its journal as it is written.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Until } from "../src/rollout/decide.ts";
import type { JournalEvent } from "../src/rollout/journal-event.ts";
import { binary } from "./processes.ts";

export type RolloutProcess = {
  readonly pid: number | undefined;
  /** The exit code, -1 where a signal ended it, and what it said on stderr. */
  readonly ended: Promise<{ code: number; stderr: string }>;
  kill(signal: NodeJS.Signals): void;
};

/**
 * `onEvent` sees each entry of the journal once it is on disk. A line that is no entry is an error of the rollout's and is kept in stderr.
 * `until`: it ends after this phase.
 */
export function startRollout(
  fleetFile: string,
  options: { onEvent?: (event: JournalEvent) => void; cwd: string; until?: Until; env?: NodeJS.ProcessEnv },
): RolloutProcess {
  const [program, script] = binary("glance-rollout");
  const until = options.until === undefined ? [] : ["--until", options.until];
  const child = spawn(program, [script, "run", "--fleet", fleetFile, "--yes", "--json", ...until], {
    stdio: ["ignore", "pipe", "pipe"],
    // A session of its own, as an operator's is: in one with the clients of the traffic it would be scheduled as one of them.
    detached: true,
    cwd: options.cwd,
    env: options.env ?? process.env,
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-16_384);
  });
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    let event: JournalEvent;
    try {
      event = JSON.parse(line) as JournalEvent;
    } catch {
      stderr += `not a journal entry: ${line}\n`;
      return;
    }
    options.onEvent?.(event);
  });
  const ended = Promise.all([once(child, "exit"), once(lines, "close")]).then(([[code]]) => ({
    code: (code as number | null) ?? -1,
    stderr,
  }));
  return { pid: child.pid, ended, kill: (signal) => void child.kill(signal) };
}
