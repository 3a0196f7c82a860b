// A group of processes that shares the processor with others as one (cgroups(7), of either version), as systemd makes them of units.
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./eventually.ts";

export type CpuGroup = {
  /** What they start is in it too. */
  add(pids: readonly number[]): void;
  /** Once all of its processes have ended. */
  remove(): Promise<void>;
};

/** Null where this machine lets us make none. */
export function makeCpuGroup(): CpuGroup | null {
  for (const parent of ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup"]) {
    const folder = join(parent, `perennial-test-${process.pid}`);
    try {
      mkdirSync(folder);
    } catch {
      continue;
    }
    if (!["cpu.shares", "cpu.weight"].some((file) => existsSync(join(folder, file)))) {
      rmdirSync(folder);
      continue;
    }
    return {
      add: (pids) => {
        for (const pid of pids) writeFileSync(join(folder, "cgroup.procs"), String(pid));
      },
      async remove() {
        await eventually("the group is empty", () => {
          rmdirSync(folder);
          return true;
        });
      },
    };
  }
  return null;
}
