// How the threads of a process are scheduled, as the kernel tells it.
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** By their numbers in sched(7), each once: 0 the usual one, 5 the idle one. Throws where there is no such process. */
export function schedulingPolicies(...pids: readonly number[]): readonly number[] {
  const policies = pids.flatMap((pid) =>
    readdirSync(`/proc/${pid}/task`).map((id) => {
      const stat = readFileSync(`/proc/${pid}/task/${id}/stat`, "utf8");
      // Field 41 of proc_pid_stat(5); the name before it may hold anything.
      return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[38]);
    }),
  );
  return [...new Set(policies)];
}

/** Of the session that the process is in, beside other sessions; null where this kernel makes no group of one. */
export function sessionNiceness(pid: number): number | null {
  const file = `/proc/${pid}/autogroup`;
  const niceness = existsSync(file) && / nice (-?\d+)\n$/.exec(readFileSync(file, "utf8"))?.[1];
  return niceness ? Number(niceness) : null;
}
