// Compiles src/ to dist/ and builds the console's page into it, the form in which the package is published; a checkout runs src/ as it is.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";

rmSync("dist", { recursive: true, force: true });
// The page first: its build empties dist/console, where the compiled files of that room go too.
const steps = [
  ["node", "scripts/build-console.ts"],
  ["tsc", "-p", "tsconfig.build.json"],
] as const;
for (const [program, ...args] of steps) {
  const { status } = spawnSync(program, args, { stdio: "inherit" });
  if (status !== 0) {
    process.exitCode = status ?? 1;
    break;
  }
}
