// What a process gets of the processor beside other sessions. Linux schedules each session as one group (autogroup, sched(7)), and shares the processor
// among groups, whatever the niceness of the processes in them: a session has a niceness of its own, in /proc/PID/autogroup. A process that starts,
// or that only looks on, gives way by it to those that serve. It says nothing where groups are made otherwise, as by systemd with CPUWeight=.
import { readFileSync, writeFileSync } from "node:fs";

const file = "/proc/self/autogroup";
/** Without a privilege a session can be changed ten times a second, counted over all of the machine. */
const againMs = 50;

let isLowered = false;

/**
 * For `msMax`, or for as long as it lives. Only where this process leads its session, for the other commands of an operator's shell are not ours to slow
 * down, and where nobody has set its niceness. No harm where it cannot be done.
 */
export function giveWay({ niceness, msMax }: { readonly niceness: number; readonly msMax?: number }): void {
  try {
    if (!leadsSession() || !readFileSync(file, "utf8").endsWith(" nice 0\n")) return;
    writeFileSync(file, String(niceness));
  } catch {
    // There are no such groups, or some session was changed a moment ago.
    return;
  }
  isLowered = true;
  if (msMax !== undefined) setTimeout(endGivingWay, msMax).unref();
}

/** Tried until it is done: who serves gives way to nobody. Safe to call twice, and where it never gave way. */
export function endGivingWay(): void {
  if (!isLowered) return;
  try {
    writeFileSync(file, "0");
    isLowered = false;
  } catch {
    setTimeout(endGivingWay, againMs).unref();
  }
}

function leadsSession(): boolean {
  const stat = readFileSync("/proc/self/stat", "utf8");
  // Field 6 of proc_pid_stat(5); the name before it may hold anything.
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]) === process.pid;
}
