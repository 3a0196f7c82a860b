// The idle class of Linux's scheduler (sched(7)), for a process that is to take over: while it starts, whoever wakes on its processor runs at once,
// and in its own group, as the processes of one unit of systemd are, it has only what the others leave. How much all of a session gets is said by
// core/session-share.ts.
//
// Programs of util-linux change the class, for Node.js only knows `nice`, with which a waking thread may have to wait for some milliseconds
// still, and of a single thread. Threads and processes inherit the class from whoever starts them.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { errorText } from "../core/errors.ts";

const run = promisify(execFile);

const policies = { other: 0, idle: 5 } as const;
/** On a machine that has nothing left it would start for ever. */
const idleSecondsMax = 5;
/**
 * Takes a process out of it after that time, with all that descends from it. A process of its own, for whoever starts it may be killed meanwhile, and the
 * new one may be of a package that does not know of it. A process that has ended may have left its id to another one, which began later.
 */
const limitShell = `
began() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }
leave() {
  for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do leave "$child"; done
  chrt --other --all-tasks --pid 0 "$1" 2>/dev/null
}
first=$(began "$1"); sleep "$2"
[ -z "$first" ] || [ "$first" != "$(began "$1")" ] || leave "$1"`;
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
    // By these it finds what it has started; not every kernel has them.
    await readFile(`/proc/self/task/${process.pid}/children`);
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
  readonly #limit: ChildProcess;

  constructor(pid: number, secondsMax = idleSecondsMax) {
    this.#pid = pid;
    this.#begun = setClass("idle", pid).catch(() => undefined);
    const args = ["-c", limitShell, "limit", String(pid), String(secondsMax)];
    this.#limit = spawn("sh", args, { stdio: "ignore", detached: true });
    // Without anybody to limit it, it is not done at all.
    this.#limit.once("error", () => void this.end().catch(() => undefined));
    this.#limit.unref();
  }

  /**
   * In the usual class again, with all that it has started whose parent lives; no harm where it is gone, or is asked again. Throws an Error where something
   * stays.
   */
  async end(): Promise<void> {
    await this.#begun;
    await leaveIdleClass(this.#pid);
    // Last: this process may die before.
    this.#endLimit();
  }

  #endLimit(): void {
    const { pid, exitCode, signalCode } = this.#limit;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      // With the `sleep` that it waits for.
      process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended in this moment.
    }
  }
}

/** Of a process and all that descends from it; not what has lost its parent. Throws an Error where something stays. */
export async function leaveIdleClass(pid: number): Promise<void> {
  let why = "";
  for (let pass = 0; pass < passesMax; pass++) {
    const idle = await idleProcesses(pid);
    if (idle.length === 0) return;
    for (const one of idle) await setClass("other", one).catch((error: unknown) => (why = errorText(error)));
  }
  throw new Error(`it could not be taken out of the scheduler's idle class: ${why}`);
}

async function setClass(name: keyof typeof policies, pid: number): Promise<void> {
  await run("chrt", [`--${name}`, "--all-tasks", "--pid", "0", String(pid)]);
}

async function idleProcesses(pid: number): Promise<readonly number[]> {
  const threads = await threadsOf(pid);
  const isIdle = threads.some((one) => one.isIdle);
  const below = await Promise.all(threads.flatMap(({ children }) => children.map(idleProcesses)));
  return [...(isIdle ? [pid] : []), ...below.flat()];
}

/** None of a process that has ended. */
async function threadsOf(pid: number): Promise<{ readonly isIdle: boolean; readonly children: readonly number[] }[]> {
  const folder = `/proc/${pid}/task`;
  const ids = (await whileThere(readdir(folder))) ?? [];
  const threads = ids.map(async (id) => {
    const [stat, children] = await Promise.all(
      ["stat", "children"].map((file) => whileThere(readFile(`${folder}/${id}/${file}`, "utf8"))),
    );
    return {
      isIdle: stat !== undefined && policyIn(stat) === policies.idle,
      children: (children ?? "").split(" ").filter(Boolean).map(Number),
    };
  });
  return await Promise.all(threads);
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

/** Field 41 of proc_pid_stat(5); the second, a name, may hold anything. */
function policyIn(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[38]);
}
