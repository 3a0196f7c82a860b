// Starts a server that cannot outlive its test: a small shell holds it and ends it when the test process is gone, however
// that died. The shell also removes the server's folder. It has a session of its own, so that Ctrl-C does not reach the server first.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

const shell = `
folder=$1; signal=$2; shift 2
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
( cat <&3 >/dev/null; kill "-$signal" "$server" 2>/dev/null ) &
watcher=$!
exec 3<&-
trap '' PIPE
wait "$server"; code=$?
kill "$watcher" 2>/dev/null
[ -z "$folder" ] || rm -rf "$folder"
exit $code`;

export type Leashed = {
  /** Everything the server wrote on stdout and stderr so far; the last 64 KiB. */
  output(): string;
  /** The exit code once it has ended by itself or was stopped; undefined while it runs. */
  readonly exitCode: number | undefined;
  /** Ends the server at once (these servers hold nothing worth a clean shutdown) and removes its folder. Safe to call twice. */
  stop(): Promise<void>;
};

/** `folder`: removed when the server has ended; empty: nothing is removed. `signal`: what ends it; KILL where nothing is said. */
export function leash(
  command: readonly string[],
  options: { folder: string; cwd?: string; signal?: "KILL" | "QUIT" | "TERM" },
): Leashed {
  const child: ChildProcess = spawn(
    "sh",
    ["-c", shell, "leash", options.folder, options.signal ?? "KILL", ...command],
    {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    },
  );
  let output = "";
  let exitCode: number | undefined;
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString("utf8")).slice(-65_536);
  };
  child.stdout?.on("data", collect);
  child.stderr?.on("data", collect);
  // A pipe to a shell that has just ended fails; its exit event says all there is to know.
  child.stdin?.on("error", () => undefined);
  const ended = once(child, "exit").then(([code]) => {
    exitCode = code ?? 255;
    child.stdin?.destroy();
    child.stdout?.destroy();
    child.stderr?.destroy();
  });
  // The test process may finish without waiting for us: the shell ends the server then.
  child.unref();
  for (const pipe of [child.stdin, child.stdout, child.stderr])
    if (pipe && "unref" in pipe) (pipe.unref as () => void)();
  return {
    output: () => output,
    get exitCode() {
      return exitCode;
    },
    async stop() {
      if (exitCode !== undefined) return;
      child.ref();
      child.stdin?.end();
      await ended;
    },
  };
}
