// Runs `glance-rollout console` as its own process, as an operator would, and says where its page is.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { binary } from "./processes.ts";

export type ConsoleProcess = {
  /** `http://host:port` of the page. */
  readonly address: string;
  /** Resolves when the process is gone. Safe to call twice. */
  stop(): Promise<void>;
};

export type ConsoleOptions = {
  /** Also what ends it with the fleet: the fleet's guard ends whatever works in its folder. */
  readonly cwd: string;
  /** 0 takes any that is free. Default 0. */
  readonly port?: number;
  /** Further options of the command. */
  readonly more?: readonly string[];
  /** After this it counts as not started. Default 120 s: in a checkout the page may have to be built first. */
  readonly msMax?: number;
};

const saidMax = 2_000;

/** Throws an Error with what the command said where it does not start. */
export async function startConsole(fleetFile: string, options: ConsoleOptions): Promise<ConsoleProcess> {
  const { cwd, port = 0, more = [], msMax = 120_000 } = options;
  const [program, script] = binary("glance-rollout");
  const args = [script, "console", "--fleet", fleetFile, "--listen", `127.0.0.1:${port}`, "--json", ...more];
  const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-saidMax);
  });
  // Its output too is read to the end then; an "error" is that it could not be started at all.
  const ended = once(child, "close").catch((error: Error) => {
    said ||= error.message;
  });
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  const line = await firstLine(createInterface({ input: child.stdout }), ended, msMax);
  if (line === undefined) {
    child.kill("SIGKILL");
    throw new Error(said.trim() || `the console has not started within ${msMax / 1_000} s`);
  }
  const { address } = JSON.parse(line) as { address: string };
  return { address, stop };
}

/** undefined: it ended, or time is over. */
async function firstLine(
  lines: ReturnType<typeof createInterface>,
  ended: Promise<unknown>,
  msMax: number,
): Promise<string | undefined> {
  const late = AbortSignal.timeout(msMax);
  const line = once(lines, "line", { signal: late }).then(
    ([text]) => String(text),
    () => undefined,
  );
  return Promise.race([line, ended.then(() => undefined)]);
}
