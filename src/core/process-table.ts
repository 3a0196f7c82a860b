// Which processes live on this machine, from /proc. A process id alone says little: ids are given out again, and a process that has
// ended but was not collected by its parent still has one.
import { readdirSync, readFileSync } from "node:fs";
import { ServiceError } from "./errors.ts";

export type ProcessView = {
  readonly pid: number;
  /** Tells it from any other process that had or will have this id. */
  readonly id: string;
  readonly groupId: number;
  /** Wall clock, milliseconds since the epoch; right to about a second. */
  readonly startedMs: number;
};

/** Ticks of /proc a second: fixed in the kernel's interface on every architecture Node runs on. */
const ticksPerSecond = 100;

/** The process, or undefined where it is gone, or has ended and waits to be collected. */
export function findProcess(pid: number): ProcessView | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) {
      mustHaveProc();
      return undefined;
    }
    throw error;
  }
  // The second field is the program's name in parentheses, which may itself hold blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "", , group = ""] = fields;
  if (state === "Z" || state === "X") return undefined;
  const ticks = Number(fields[19]);
  const boot = bootTime();
  return {
    pid,
    id: `${pid}@${ticks}/${boot.id}`,
    groupId: Number(group),
    startedMs: boot.ms + (ticks * 1000) / ticksPerSecond,
  };
}

/** Whether the process does something of its own at this signal; to another one it would be the end. Throws nothing: a process that is gone does not. */
export function catchesSignal(pid: number, signal: number): boolean {
  try {
    return catches(/^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "", signal);
  } catch {
    return false;
  }
}

/** The same of what its /proc/PID/status says as SigCgt; false where that is nothing. */
export function catches(mask: string, signal: number): boolean {
  return /^[0-9a-f]+$/.test(mask) && ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

/** The living members of a process group. Looks at every process: only for the rare case that needs it. */
export function processGroup(groupId: number): readonly ProcessView[] {
  mustHaveProc();
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => findProcess(Number(name)) ?? [])
    .filter((process) => process.groupId === groupId);
}

function bootTime(): { ms: number; id: string } {
  const seconds = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1] ?? "0";
  return { ms: Number(seconds) * 1000, id: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim() };
}

function mustHaveProc(): void {
  try {
    readFileSync("/proc/self/stat");
  } catch (error) {
    throw new ServiceError(
      "rollout.driver_failed",
      "processes are looked for in /proc, which this system does not have; run it on Linux",
      {
        cause: error,
      },
    );
  }
}
