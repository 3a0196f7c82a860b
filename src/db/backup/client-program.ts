// Runs a database server's own client program: found in the folders where it may lie, given its secrets by a file that has no name, and
// its failures told in its own words.
import { type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { promisify } from "node:util";

/** Where the program finds what must not stand on its command line: an option file, or a password file. */
export const secretPath = "/dev/fd/3";
const stderrCharactersMax = 4_000;

export type ClientCommand = {
  readonly program: string;
  readonly args: readonly string[];
  /** Content of `secretPath`. */
  readonly secret: string;
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Gives a failure told in the program's words its place among our errors. */
  readonly translate: (line: string) => Error;
  readonly signal: AbortSignal;
};

export type ClientChild = ChildProcessByStdio<Writable, Readable, Readable>;

/** Paths of executables of this name, in the order of `folders`. */
export function findPrograms(name: string, folders = (process.env.PATH ?? "").split(delimiter)): readonly string[] {
  return folders
    .map((folder) => join(folder, name))
    .filter((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        // Not here: the next folder.
        return false;
      }
    });
}

/** What it answers to --version, in one line. */
export async function versionOf(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ["--version"]);
  return stdout.trim().split("\n")[0] ?? "";
}

/**
 * Starts the program, lets `transfer` feed or read it, and resolves when both have ended well. Whatever fails, the program is gone
 * when this rejects.
 */
export async function runClient<T>(command: ClientCommand, transfer: (child: ClientChild) => Promise<T>): Promise<T> {
  command.signal.throwIfAborted();
  const child = start(command);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-stderrCharactersMax);
  });
  const words = () =>
    said.split("\n").find((line) => line.trim() !== "" && !/^Warning\b|: (NOTICE|WARNING|warning):/.test(line));
  const ended = once(child, "close").then(([code]) => {
    if (code === 0) return;
    throw command.translate(words() ?? `${command.program} ended with ${code ?? "a signal"}`);
  });
  // Looked at below; until then a failure must not count as unhandled.
  ended.catch(() => undefined);
  try {
    const [result] = await Promise.all([transfer(child), ended]);
    return result;
  } catch (error) {
    child.kill("SIGKILL");
    const own = await ended.then(
      () => undefined,
      (failure: unknown) => failure,
    );
    if (command.signal.aborted) throw command.signal.reason;
    // Where the program failed its own words say why, better than the pipe that broke.
    throw own !== undefined && words() !== undefined ? own : error;
  }
}

function start({ program, args, secret, env }: ClientCommand): ClientChild {
  const fd = openSecret(secret);
  try {
    // Messages are matched by us and shown to operators everywhere: one language.
    const environment = { ...process.env, LC_ALL: "C.UTF-8", ...env };
    return spawn(program, args, { stdio: ["pipe", "pipe", "pipe", fd], env: environment }) as ClientChild;
  } finally {
    closeSync(fd);
  }
}

/** A file without a name before the secret is in it: no kill leaves it behind, and nobody can open it but through us. */
function openSecret(text: string): number {
  const folder = mkdtempSync(join(tmpdir(), "perennial-"));
  try {
    const fd = openSync(join(folder, "secret"), "wx+", 0o600);
    rmSync(join(folder, "secret"));
    writeSync(fd, text);
    return fd;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
