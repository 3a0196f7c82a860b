// What a process gets of the processor beside other sessions. Linux schedules each session as one group (autogroup, sched(7)), and shares the processor
// among groups, whatever the niceness of the processes in them: a session has a niceness of its own, in /proc/PID/autogroup. A process that starts
// beside others that serve, or that only moves them, gives way by it. It says nothing where groups are made otherwise, as by systemd with CPUWeight=.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

/** Set in the environment of a node that starts while others serve; taken out again at once. Older packages do not know it. */
export const givesWayVariable = "PERENNIAL_GIVES_WAY";

const file = "/proc/self/autogroup";
const startNiceness = 19;
const startSecondsMax = 2;
/** Without a privilege a session can be changed ten times a second, counted over all of the machine. */
const againMs = 50;
const triesMax = 100;

/** A process that has next to nothing of the processor cannot see to its own end of that in time; this one has a session of its own. */
const limitShell = `sleep ${startSecondsMax}; tries=0
while [ -e "/proc/$1" ] && ! echo 0 >"/proc/$1/autogroup" && [ "$tries" -lt ${triesMax} ]; do tries=$((tries + 1)); sleep 0.05; done`;

let niceness = 0;

/** What `givesWayVariable` asks for: until `endGivingWay`, two seconds at most, however little of the processor this process gets. */
export function giveWayAsTold(env: Record<string, string | undefined> = process.env): void {
  const told = env[givesWayVariable];
  delete env[givesWayVariable];
  if (told === undefined || !giveWay(startNiceness)) return;
  const limit = spawn("sh", ["-c", limitShell, "limit", String(process.pid)], { stdio: "ignore", detached: true });
  // Without anybody to limit it, it is not done at all.
  limit.once("error", endGivingWay);
  limit.unref();
}

/**
 * Until `endGivingWay`. False, and nothing is done, where this process does not lead its session, for the other commands of an operator's shell are not
 * ours to slow down; where somebody has set its niceness; and where it cannot be done.
 */
export function giveWay(to: number): boolean {
  try {
    if (!leadsSession() || nicenessNow() !== 0) return false;
    writeFileSync(file, String(to));
  } catch {
    // There are no such groups, or some session was changed a moment ago.
    return false;
  }
  niceness = to;
  return true;
}

/** Who serves gives way to nobody. Safe to call twice, where it never gave way, and where somebody else has ended it. */
export function endGivingWay(): void {
  tryToEnd(triesMax);
}

function tryToEnd(tries: number): void {
  if (niceness === 0) return;
  try {
    if (nicenessNow() === niceness) writeFileSync(file, "0");
    niceness = 0;
  } catch {
    if (tries > 0) setTimeout(tryToEnd, againMs, tries - 1).unref();
  }
}

function nicenessNow(): number | null {
  const found = / nice (-?\d+)\n$/.exec(readFileSync(file, "utf8"));
  return found ? Number(found[1]) : null;
}

function leadsSession(): boolean {
  const stat = readFileSync("/proc/self/stat", "utf8");
  // Field 6 of proc_pid_stat(5); the name before it may hold anything.
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]) === process.pid;
}
