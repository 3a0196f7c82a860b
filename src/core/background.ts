// Work that nobody waits for in a hurry, on a machine that serves.
import type { ChildProcess } from "node:child_process";
import { constants, setPriority } from "node:os";

/** Has a process that was just started compute only where nobody else of the machine wants to. */
export function toBackground({ pid }: Pick<ChildProcess, "pid">): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It has ended already, or this process is further behind than that.
  }
}
