// The classes in which the threads of a process run, as the kernel tells them.
import { readdirSync, readFileSync } from "node:fs";

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
