// Runs one command of the operator's, or a tool that a driver needs, without a shell: its whole output, within a time, and an error in one
// line where it fails. Ends the command with all it started when it takes too long.
import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { errorText, ServiceError } from "../core/errors.ts";
import { Slots } from "../core/slots.ts";

export type CommandResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type CommandOptions = {
  /** Opens the error's text, as in "drain n1". */
  readonly what: string;
  readonly msMax: number;
  readonly signal: AbortSignal;
  /** Written to its standard input. */
  readonly input?: string | Buffer | Readable;
  /** Stands for the words in errors, where they are not for people. */
  readonly shownAs?: string;
  /** Exit codes that are answers, not failures. Default: 0 alone. */
  readonly answers?: readonly number[];
};

/** A look at a fleet of hundreds asks of all its nodes at once, which is more programs than this machine should hold. */
const slots = new Slots(32);
const outputBytesMax = 4_000_000;
/** From the command's end until what it started has let go of its output. */
const lettingGoMsMax = 1_000;

/** Fills `{name}` in each word; a word with a name that is not known stays as it is. */
export function fillIn(words: readonly string[], values: Readonly<Record<string, string>>): readonly string[] {
  return words.map((word) => word.replace(/\{(\w+)\}/g, (match, name: string) => values[name] ?? match));
}

/**
 * Throws rollout.driver_failed where it cannot be started, takes too long, says too much, or ends with another code than `answers`. `msMax`
 * begins when it is started.
 */
export async function runCommand(words: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const giveBack = await slots.take(options.signal).catch((error: unknown) => {
    throw failed(options, words, "was not waited for", error);
  });
  try {
    return await runNow(words, options);
  } finally {
    giveBack();
  }
}

function runNow(words: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const [program = "", ...args] = words;
  const { msMax, signal, answers = [0] } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(failed(options, words, "was not waited for", signal.reason));
    // A group of its own, so that all it started can be ended with it.
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
    const out = { stdout: "", stderr: "" };
    let bytes = 0;
    let over = false;
    let lettingGo: NodeJS.Timeout | undefined;
    const finish = (settle: () => void) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      clearTimeout(lettingGo);
      signal.removeEventListener("abort", onAbort);
      child.stdout.destroy();
      child.stderr.destroy();
      if (typeof options.input === "object" && "pipe" in options.input) options.input.destroy();
      settle();
    };
    const giveUp = (why: string, cause?: unknown) => {
      if (child.pid !== undefined) endGroup(child.pid);
      finish(() => reject(failed(options, words, why, cause)));
    };
    const onAbort = () => giveUp("was not waited for", signal.reason);
    const timer = setTimeout(() => giveUp(`did not end within ${msMax / 1000} s; it was ended`), msMax);
    signal.addEventListener("abort", onAbort, { once: true });
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        out[name] += text;
        bytes += text.length;
        if (bytes > outputBytesMax) giveUp("wrote without end; it was ended");
      });
    }
    const end = (code: number | null, killedBy: string | null) =>
      finish(() => {
        if (code !== null && answers.includes(code)) return resolve({ code, ...out });
        const ended = killedBy === null ? `ended with ${code}` : `was ended by ${killedBy}`;
        reject(
          failed(options, words, `${ended}: ${lastLine(out.stderr) || lastLine(out.stdout) || "it said nothing"}`),
        );
      });
    child.on("close", end);
    // What it left running in the background may hold its output for ever; only its own end is waited for.
    child.on("exit", (code, killedBy) => {
      lettingGo = setTimeout(() => end(code, killedBy), lettingGoMsMax);
    });
    child.on("error", (error) => giveUp(`cannot be started (${errorText(error)})`, error));
    // A command that does not read what it is given has a reason, which its exit code tells.
    child.stdin.on("error", () => undefined);
    const { input = "" } = options;
    if (typeof input === "string" || Buffer.isBuffer(input)) child.stdin.end(input);
    else {
      // Closed too soon, the command could take a part of its input for all of it.
      input.on("error", (error) => giveUp(`could not be given its input (${errorText(error)})`, error));
      input.pipe(child.stdin);
    }
  });
}

function failed(of: CommandOptions, words: readonly string[], why: string, cause?: unknown): ServiceError {
  const command = (of.shownAs ?? words.join(" ")).replace(/\s+/g, " ");
  const text = command.length > 120 ? `${command.slice(0, 117)}...` : command;
  return new ServiceError("rollout.driver_failed", `${of.what}: '${text}' ${why}`, {
    facts: { command: text },
    ...(cause !== undefined && { cause }),
  });
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // Gone in the meantime.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** What a program said last is mostly why it ended. */
export function lastLine(text: string): string {
  return (
    text
      .split("\n")
      .map((line) => line.trim())
      .findLast((line) => line !== "") ?? ""
  ).slice(0, 300);
}

/** The JSON a command printed. Throws rollout.driver_failed where it is none. */
export function commandJson(what: string, words: readonly string[], stdout: string): unknown {
  try {
    return JSON.parse(stdout);
  } catch (error) {
    const message = `${what}: '${words.join(" ")}' did not print JSON: ${JSON.stringify(stdout.slice(0, 80))}`;
    throw new ServiceError("rollout.driver_failed", message, { facts: { command: words.join(" ") }, cause: error });
  }
}
