// Processes of a fleet: started, waited for, and in the end all gone, whatever happened to the process that started them. Nodes are
// meant to outlive their starters (a rollout restarts them), so a guard remembers the fleet's folder and ends whoever names it.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * Ends, when its stdin closes, every process that works in the folder or names it in its command line, with its group; then removes the
 * folder. Nodes give themselves titles, which hides their command line, but they and their workers stay where they were started. It looks
 * again until nobody is left: a killed process that waits for its disk is there for as long as the disk takes.
 */
const guardShell = `
folder=$1; keep=$2
cat >/dev/null
trap '' PIPE
found=1; rounds=600
while [ "$found" = 1 ] && [ "$rounds" -gt 0 ]; do
  found=0; rounds=$((rounds - 1))
  for process in /proc/[0-9]*; do
    pid=\${process#/proc/}
    [ "$pid" != "$$" ] || continue
    case "$(readlink "$process/cwd" 2>/dev/null)/" in
      "$folder"/*) ;;
      *) tr '\\0' ' ' <"$process/cmdline" 2>/dev/null | grep -qF "$folder" || continue ;;
    esac
    found=1
    kill -9 "-$pid" 2>/dev/null || kill -9 "$pid" 2>/dev/null
  done
  [ "$found" = 0 ] || sleep 0.1
done
[ "$keep" = keep ] || rm -rf "$folder"`;

export type Guard = {
  /** Ends all processes of the folder, and removes it unless it is kept. Safe to call twice. */
  stop(): Promise<void>;
};

export function guardFolder(folder: string, options: { keep: boolean }): Guard {
  const keep = options.keep ? "keep" : "remove";
  const child = spawn("sh", ["-c", guardShell, "guard", folder, keep], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  child.unref();
  const ended = once(child, "exit");
  return {
    async stop() {
      if (child.exitCode !== null) return;
      child.ref();
      child.stdin?.end();
      await ended;
    },
  };
}

/** A command of this package, by the same Node that runs us. */
export function binary(name: "glance-api" | "glance-manage" | "glance-rollout"): readonly [string, string] {
  return [process.execPath, fileURLToPath(new URL(`../bin/${name}.js`, import.meta.url))];
}

/** A process in a session of its own, whose output goes to `logFile`. */
export function startDetached(
  command: readonly string[],
  options: { logFile: string; cwd: string; env?: NodeJS.ProcessEnv },
): ChildProcess {
  const [program = "", ...args] = command;
  const log = openSync(options.logFile, "a");
  try {
    const child = spawn(program, args, {
      stdio: ["ignore", log, log],
      detached: true,
      cwd: options.cwd,
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

export type Finished = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a command to its end; a non-zero exit code is a result, not an error. */
export function finish(command: readonly string[], options: { cwd?: string; msMax?: number } = {}): Promise<Finished> {
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const limits = { timeout: options.msMax ?? 120_000, maxBuffer: 64 * 1_048_576 };
    const child = execFile(program, args, { ...limits, cwd: options.cwd }, (error, stdout, stderr) => {
      if (error && child.exitCode === null)
        reject(new Error(`${command.join(" ")} ended by ${child.signalCode ?? error.message}: ${stderr}`));
      else resolve({ code: child.exitCode ?? 0, stdout, stderr });
    });
  });
}
