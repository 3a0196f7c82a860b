// Workers whose supervisor was killed: they finish what they have and end by themselves, but until then they hold the port and
// speak the release they were started with. Found by the name they give themselves.
import { readdirSync, readFileSync } from "node:fs";
import { processTitle } from "./pid-file.ts";

/** What a worker calls itself; short, since the system keeps no more than the command line had. */
export function workerTitle(supervisorPid: number): string {
  return `${processTitle}: worker of ${supervisorPid}`;
}

/** Living workers of a supervisor on this machine; null where the system does not tell. */
export function workersOf(supervisorPid: number): readonly number[] | null {
  const title = workerTitle(supervisorPid);
  return processes((name) => name === title);
}

/** Whether any worker on this machine has lost its supervisor. */
export function anyOrphan(): boolean {
  const prefix = workerTitle(0).slice(0, -1);
  const orphans = processes((name) => name.startsWith(prefix) && !lives(Number(name.slice(prefix.length))));
  return orphans !== null && orphans.length > 0;
}

function processes(matches: (name: string) => boolean): readonly number[] | null {
  let names: readonly string[];
  try {
    names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return null;
  }
  return names.map(Number).filter((pid) => matches(nameOf(pid)));
}

/** Empty where the process has ended meanwhile. */
function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replace(/\0+$/, "");
  } catch {
    return "";
  }
}

function lives(pid: number): boolean {
  return nameOf(pid) !== "";
}
