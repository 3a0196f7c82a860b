// One run of glance-manage that is killed with -9 at a moment that chance chooses: at one of its lines, or not at all.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { binary } from "../../../demo/processes.ts";

/** More lines than most phases print: then it ends by itself. */
const linesMax = 20;

export async function killedAtRandom(config: string, phase: string, random: () => number): Promise<void> {
  const fatalLine = Math.floor(random() * linesMax);
  const [program, script] = binary("glance-manage");
  const child = spawn(program, [script, "--config-file", config, "db", phase, "--json"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let lines = 0;
  createInterface({ input: child.stdout }).on("line", () => {
    if (lines++ === fatalLine) child.kill("SIGKILL");
  });
  await once(child, "close");
}
