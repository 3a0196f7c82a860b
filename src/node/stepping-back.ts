// A process that only starts steps back behind those that serve on the same machine, and takes its place when it is about to serve: starting takes a
// second of computing, which requests of others would wait for.
import { readdirSync, readFileSync } from "node:fs";
import { getPriority, setPriority } from "node:os";

/** Nice values by which it steps back: a tenth of the weight of who serves, where both want the same core; all of it where nobody does. */
const niceness = 10;
/** CAP_SYS_NICE of capability.h: lets a process raise any priority. */
const niceCapability = 23n;

/**
 * Makes `pid`, which was just started by this process, step back. False where it could not come back: as a user without LimitNICE (RLIMIT_NICE)
 * nobody may raise what was lowered, so it stays as it is.
 */
export function stepBack(pid: number): boolean {
  try {
    const place = getPriority();
    const own = (name: string) => readFileSync(`/proc/self/${name}`, "utf8");
    if (!mayRaiseTo(place, { status: own("status"), limits: own("limits") })) return false;
    setPriority(pid, Math.min(19, place + niceness));
    return true;
  } catch {
    // It is gone already, or this is no Linux.
    return false;
  }
}

/** Gives a process that had stepped back the priority of this one, with the threads that it has started since. */
export function takePlace(pid: number): void {
  const place = getPriority();
  // Linux keeps priorities by thread.
  for (const thread of threadsOf(pid))
    try {
      setPriority(thread, place);
    } catch {
      // It has ended meanwhile.
    }
}

/** None where the process has ended. */
export function threadsOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [];
  }
}

/**
 * Whether a process may give others of its user the priority `place`, by the texts of its /proc/PID/status and /proc/PID/limits; see setpriority(2)
 * and getrlimit(2).
 */
export function mayRaiseTo(place: number, { status, limits }: { status: string; limits: string }): boolean {
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
  if ((BigInt(`0x${capabilities}`) >> niceCapability) & 1n) return true;
  const limit = /^Max nice priority\s+(\S+)/m.exec(limits)?.[1] ?? "0";
  return limit === "unlimited" || Number(limit) >= 20 - place;
}
