// How sessions are scheduled beside each other, as the kernel tells it.
import { existsSync, readFileSync } from "node:fs";

/** Of the session that the process is in; null where this kernel makes no group of one. Throws where there is no such process. */
export function sessionNiceness(pid: number): number | null {
  const file = `/proc/${pid}/autogroup`;
  const niceness = existsSync(file) && / nice (-?\d+)\n$/.exec(readFileSync(file, "utf8"))?.[1];
  return niceness ? Number(niceness) : null;
}

/** Whether this process, and what it starts, is never refused a change because another session was changed a moment ago. */
export function isNeverRefused(): boolean {
  if (sessionNiceness(process.pid) === null) return false;
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  const systemAdministrator = 21n;
  // Of the machine's own users, not of those of a container that has users of its own.
  const isMachines = /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
  return isMachines && ((BigInt(`0x${capabilities}`) >> systemAdministrator) & 1n) === 1n;
}
