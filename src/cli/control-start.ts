// Starts a server in a session of its own, so that it outlives whoever started it, and stays with it for as long as that is asked for.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import type { Writable } from "node:stream";
import { systemClock } from "../core/clock.ts";
import { errorText } from "../core/errors.ts";
import { writePidFile } from "../node/pid-file.ts";
import { checkConfig } from "./check-config.ts";
import { type ControlledServer, Refused } from "./controlled-server.ts";
import { exitCodes } from "./exit-codes.ts";

export type StartOptions = {
  /** Into syslog, else nowhere: the server has a log of its own. */
  readonly captureOutput: boolean;
  /** For so long its death is waited for; then it is taken for alive. */
  readonly awaitSeconds: number;
  readonly respawn: boolean;
};

/** One that ends sooner is not started again. */
const livedMsMin = 1_000;

/** Resolves with the exit code. Throws Refused, config.invalid. */
export async function start(
  server: ControlledServer,
  options: StartOptions,
  say: (line: string) => void,
): Promise<number> {
  const found = server.find();
  if (found.state === "foreign") throw foreign(server, found.process.pid);
  if (found.state === "stopping")
    throw new Refused(
      `${server.name} (pid ${found.process.pid}) is still finishing what it has; start it once it has ended, or use restart`,
    );
  if (found.state === "running") {
    say(`${server.name} (pid ${found.process.pid}) is running already`);
    return exitCodes.ok;
  }
  if (server.clear()) say(`Removed the stale pid file ${server.pidFile}`);
  checkConfig(server.readConfig());
  const child = await launch(server, options.captureOutput);
  say(`Started ${server.name} (pid ${child.pid})`);
  if (options.respawn) return respawn(server, child, say, options);
  const ended = await endWithin(child, options.awaitSeconds * 1_000);
  child.unref();
  if (ended === null) return exitCodes.ok;
  throw new Refused(
    `${server.name} ended with exit code ${ended}; its log says why, or \`${server.command.join(" ")}\``,
    {
      cause: ended,
    },
  );
}

/** The pid file names something that is not ours to signal or to replace. */
export function foreign({ name, pidFile }: ControlledServer, pid: number): Refused {
  return new Refused(`${pidFile} names process ${pid}, a ${name} that is not Perennial's; it was left alone`);
}

async function launch(server: ControlledServer, captureOutput: boolean): Promise<ChildProcess> {
  requireWritable(server.pidFile);
  const [program = "", ...args] = server.command;
  const output = captureOutput ? await openSyslog(server.name) : "ignore";
  const child = spawn(program, args, { detached: true, stdio: ["ignore", output, output] });
  await once(child, "spawn");
  if (output !== "ignore") output.destroy();
  writePidFile(server.pidFile, child.pid ?? 0);
  return child;
}

/** A node that cannot write its pid file ends; what it says of that nobody reads. */
function requireWritable(pidFile: string): void {
  const folder = dirname(pidFile);
  try {
    accessSync(existsSync(folder) ? folder : dirname(folder), constants.W_OK);
  } catch (error) {
    throw new Refused(
      `${pidFile} cannot be written (${errorText(error)}); give another one by --pid-file, or run it as root`,
    );
  }
}

/** What goes in there goes to the system's log, for as long as anybody holds the other end. */
async function openSyslog(tag: string): Promise<Writable> {
  const logger = spawn("logger", ["--tag", tag], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  try {
    await once(logger, "spawn");
  } catch (error) {
    throw new Refused(`--capture-output needs the program logger (${errorText(error)}); install it, or set log_file`);
  }
  logger.unref();
  return logger.stdin;
}

/** The exit code; null: it lives on. */
async function endWithin(child: ChildProcess, ms: number): Promise<number | null> {
  if (ms === 0) return null;
  const waiting = new AbortController();
  const ended = ending(child);
  const lives = systemClock.sleep(ms, waiting.signal).then(
    () => null,
    () => null,
  );
  const outcome = await Promise.race([ended, lives]);
  waiting.abort();
  return outcome;
}

async function ending(child: ChildProcess): Promise<number> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode ?? exitCodes.failed;
}

/** For as long as it dies unasked. After a hand-over the server is another process, with nobody to watch it here. */
async function respawn(
  server: ControlledServer,
  first: ChildProcess,
  say: (line: string) => void,
  { captureOutput }: StartOptions,
): Promise<number> {
  for (let child = first; ; ) {
    const sinceMs = systemClock.monotonicMs();
    const code = await ending(child);
    if (code === exitCodes.ok || server.wasStopped()) {
      say(`${server.name} (pid ${child.pid}) was stopped, or has handed over; it is not started again`);
      return exitCodes.ok;
    }
    if (systemClock.monotonicMs() - sinceMs < livedMsMin)
      throw new Refused(`${server.name} ended within a second, with exit code ${code}; it is not started again`, {
        cause: code,
      });
    child = await launch(server, captureOutput);
    say(`Started ${server.name} again (pid ${child.pid}): it had ended with exit code ${code}`);
  }
}
