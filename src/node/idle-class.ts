// The idle class of Linux's scheduler (sched(7)), for a process that is to take over: while it starts it has what the processor leaves, and
// whoever serves is never kept from running by it. Without this the p99 of requests doubles while a node hands over, on a machine that both share.
//
// Programs of util-linux change the class, for Node.js only knows `nice`, with which a waking thread may have to wait for some milliseconds
// still, and of a single thread. Threads and processes inherit the class from whoever starts them.
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { getPriority } from "node:os";
import { promisify } from "node:util";

const run = promisify(execFile);

const policies = { other: 0, idle: 5 } as const;
/** On a machine that has nothing left it would start for ever. */
const idleMsMax = 5_000;
/** A thread that is started while its process is changed may be missed; it is found by the next pass. */
const passesMax = 10;
/** Bit of CAP_SYS_NICE, see capabilities(7). */
const mayChangeAny = 1n << 23n;

/** Whether a process of this user that is put into the idle class can be taken out of it again: as root, or by the limit on niceness (LimitNICE=). */
export async function canLeaveIdleClass(): Promise<boolean> {
  try {
    const [status, limits, stat] = await Promise.all(
      ["status", "limits", "stat"].map((name) => readFile(`/proc/self/${name}`, "utf8")),
    );
    // Whoever gave this process another class meant the next one, too.
    if (policyIn(stat ?? "") !== policies.other) return false;
    const capabilities = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status ?? "")?.[1] ?? "0"}`);
    const limit = /^Max nice priority\s+(\S+)/m.exec(limits ?? "")?.[1] ?? "0";
    const reachable = limit === "unlimited" || Number(limit) >= 20 - getPriority();
    return (capabilities & mayChangeAny) !== 0n || reachable;
  } catch {
    return false;
  }
}

/** A process in the idle class, with all that it starts. */
export class IdleProcess {
  readonly #pid: number;
  readonly #begun: Promise<void>;
  readonly #late: NodeJS.Timeout;
  #ended: Promise<void> | null = null;

  /** `pid`: leads a session of its own. It stays in its class where the system has no `chrt`. */
  constructor(pid: number) {
    this.#pid = pid;
    this.#begun = setClass("idle", pid).catch(() => undefined);
    this.#late = setTimeout(() => void this.end().catch(() => undefined), idleMsMax).unref();
  }

  /** In the usual class again, with all that it has started; no harm where it is gone. Safe to call twice. Throws an Error where something stays. */
  end(): Promise<void> {
    clearTimeout(this.#late);
    this.#ended ??= this.#begun.then(() => leaveIdleClass(this.#pid));
    return this.#ended;
  }
}

/** All processes of a session. Throws an Error where one cannot be taken out. */
export async function leaveIdleClass(session: number): Promise<void> {
  let failure: unknown;
  for (let pass = 0; pass < passesMax; pass++) {
    const idle = await idleProcesses(session);
    if (idle.length === 0) return;
    const outcomes = await Promise.allSettled(idle.map((pid) => setClass("other", pid)));
    failure = outcomes.find(({ status }) => status === "rejected");
  }
  throw new Error("it could not be taken out of the scheduler's idle class", { cause: failure });
}

/** Of the process itself. */
export async function ownSession(): Promise<number> {
  return Number(fieldsIn(await readFile("/proc/self/stat", "utf8"))[3]);
}

async function setClass(name: keyof typeof policies, pid: number): Promise<void> {
  await run("chrt", [`--${name}`, "--all-tasks", "--pid", "0", String(pid)]);
}

async function idleProcesses(session: number): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const idle = await Promise.all(
    pids.map(async (pid) => {
      const fields = fieldsIn(await readFile(`/proc/${pid}/stat`, "utf8").catch(gone));
      return Number(fields[3]) === session && (await hasIdleThread(pid)) ? pid : [];
    }),
  );
  return idle.flat();
}

async function hasIdleThread(pid: number): Promise<boolean> {
  const folder = `/proc/${pid}/task`;
  const threads = await readdir(folder).catch(() => []);
  const stats = await Promise.all(threads.map((id) => readFile(`${folder}/${id}/stat`, "utf8").catch(gone)));
  return stats.some((stat) => policyIn(stat) === policies.idle);
}

/** What has ended meanwhile is nobody's concern. */
const gone = () => "";

function policyIn(stat: string): number {
  return Number(fieldsIn(stat)[38]);
}

/** Of proc_pid_stat(5), from the third on: the second, a name, may hold anything. */
function fieldsIn(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}
