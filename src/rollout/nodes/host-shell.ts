// A host's shell, as the drivers that can look around on a host have it: this machine's own, or one that is reached by ssh.
import type { Readable } from "node:stream";
import { type CommandResult, runCommand } from "../run-command.ts";

export type ShellOptions = {
  /** Opens the error's text. */
  readonly what: string;
  readonly signal: AbortSignal;
  readonly msMax?: number;
  readonly input?: string | Buffer | Readable;
  /** Exit codes that are answers, not failures. Default: 0 alone. */
  readonly answers?: readonly number[];
};

export interface HostShell {
  /** Runs the script with `args` as $1 and so on. Throws rollout.driver_failed where the host does not answer or the script fails. */
  run(script: string, args: readonly string[], options: ShellOptions): Promise<CommandResult>;
}

const localMsMax = 20_000;

export const localShell: HostShell = {
  run(script, args, { msMax = localMsMax, ...options }) {
    return runCommand(["sh", "-c", script, "glance-rollout", ...args], { ...options, msMax, shownAs: "sh" });
  },
};
