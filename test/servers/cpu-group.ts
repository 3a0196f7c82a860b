// A group of processes that shares the processor with others as one (cgroups(7), of either version), as systemd makes them of units.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./eventually.ts";

export type CpuGroup = {
  /** What the process starts from then on is in it too. */
  add(pid: number): void;
  /** Ends what is left in it. */
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
    const processes = join(folder, "cgroup.procs");
    return {
      add: (pid) => writeFileSync(processes, String(pid)),
      async remove() {
        await eventually("the group is empty", () => {
          for (const pid of readFileSync(processes, "utf8").split("\n").filter(Boolean))
            process.kill(Number(pid), "SIGKILL");
          rmdirSync(folder);
          return true;
        });
      },
    };
  }
  return null;
}
