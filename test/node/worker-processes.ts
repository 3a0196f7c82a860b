// The processes behind a node of a test, found as an operator would: by their names.
import { readdirSync, readFileSync } from "node:fs";
import type { NodeProcess } from "./node-process.ts";

export function workersOf(node: Pick<NodeProcess, "pid">): readonly number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => commandOf(pid) === `glance-api: worker of ${node.pid}`);
}

/** Empty where there is no such process. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", "");
  } catch {
    return "";
  }
}

/** Supervisor and workers at once, with -9. */
export function killWhole(node: NodeProcess): void {
  for (const pid of [node.pid, ...workersOf(node)]) process.kill(pid, "SIGKILL");
}
