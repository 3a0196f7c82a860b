// Compiles src/ to dist/ and builds the console's page beside the compiled files, the form in which the package is published; a checkout runs src/ as it is.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";

rmSync("dist", { recursive: true, force: true });
const steps = [
  ["tsc", "-p", "tsconfig.build.json"],
  ["node", "scripts/build-console.ts"],
] as const;
for (const [program, ...args] of steps) {
  const { status } = spawnSync(program, args, { stdio: "inherit" });
  if (status !== 0) {
    process.exitCode = status ?? 1;
    break;
  }
}
