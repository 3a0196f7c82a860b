// The idle class of Linux's scheduler (sched(7)), for a process that is to take over: while it starts it has what the processor leaves by whoever is
// scheduled in the same group, as the processes of one unit of systemd are. Where each session is a group of its own (autogroup) it would give way
// to nobody by this, for it leads one: that is what core/session-share.ts is for.
//
// Programs of util-linux change the class, for Node.js only knows `nice`, with which a waking thread may have to wait for some milliseconds
// still, and of a single thread. Threads and processes inherit the class from whoever starts them.
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { errorText } from "../core/errors.ts";

const run = promisify(execFile);

const policies = { other: 0, idle: 5 } as const;
/** On a machine that has nothing left it would start for ever. */
const idleMsMax = 5_000;
/** A thread that is started while its process is changed may be missed; it is found by the next pass. */
const passesMax = 10;

/**
 * Whether a process of this one that is put into the idle class can be taken out of it again, which wants CAP_SYS_NICE of the machine's own or a limit on
 * niceness that allows it (LimitNICE=). Tried, because whether a capability counts for it cannot be read in a container.
 */
export async function canLeaveIdleClass(): Promise<boolean> {
  try {
    // Whoever gave this process another class meant the next one, too.
    if (policyIn(await readFile("/proc/self/stat", "utf8")) !== policies.other) return false;
    await run("chrt", ["--idle", "0", "chrt", "--other", "0", "true"]);
    return true;
  } catch {
    return false;
  }
}

/** A process in the idle class, with all that it starts. */
export class IdleProcess {
  readonly #pid: number;
  readonly #begun: Promise<void>;
  readonly #late: NodeJS.Timeout;

  /** `pid`: leads a session of its own. */
  constructor(pid: number) {
    this.#pid = pid;
    this.#begun = setClass("idle", pid).catch(() => undefined);
    this.#late = setTimeout(() => void this.end().catch(() => undefined), idleMsMax).unref();
  }

  /** In the usual class again, with all that it has started; no harm where it is gone, or is asked again. Throws an Error where something stays. */
  async end(): Promise<void> {
    clearTimeout(this.#late);
    await this.#begun;
    await leaveIdleClass(this.#pid);
  }
}

/** All processes of a session. Throws an Error where one cannot be taken out. */
export async function leaveIdleClass(session: number): Promise<void> {
  let why = "";
  for (let pass = 0; pass < passesMax; pass++) {
    const idle = await idleProcesses(session);
    if (idle.length === 0) return;
    for (const pid of idle) await setClass("other", pid).catch((error: unknown) => (why = errorText(error)));
  }
  throw new Error(`it could not be taken out of the scheduler's idle class: ${why}`);
}

/** Of the process itself. */
export async function ownSession(): Promise<number> {
  return Number(fieldsIn(await readFile("/proc/self/stat", "utf8"))[3]);
}

async function setClass(name: keyof typeof policies, pid: number): Promise<void> {
  await run("chrt", [`--${name}`, "--all-tasks", "--pid", "0", String(pid)]);
}

/** One after the other: a machine may have more processes than this one may have open files. */
async function idleProcesses(session: number): Promise<readonly number[]> {
  const idle: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await whileThere(readFile(`/proc/${name}/stat`, "utf8"));
    if (stat && Number(fieldsIn(stat)[3]) === session && (await hasIdleThread(name))) idle.push(Number(name));
  }
  return idle;
}

async function hasIdleThread(pid: string): Promise<boolean> {
  for (const id of (await whileThere(readdir(`/proc/${pid}/task`))) ?? []) {
    const stat = await whileThere(readFile(`/proc/${pid}/task/${id}/stat`, "utf8"));
    if (stat && policyIn(stat) === policies.idle) return true;
  }
  return false;
}

/** Undefined of what has ended meanwhile. */
async function whileThere<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

function policyIn(stat: string): number {
  return Number(fieldsIn(stat)[38]);
}

/** Of proc_pid_stat(5), from the third on: the second, a name, may hold anything. */
function fieldsIn(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}
