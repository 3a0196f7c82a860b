// Joins src/ to few files in dist/ and builds the console's page beside them, the form in which the package is published; a checkout runs src/ as it
// is. A node that starts spends much of its time on reading and linking modules, of which we have hundreds; joined, a command starts with two
// thirds of the time. Dependencies stay packages of their own, which an operator can mend without us.
import { spawnSync } from "node:child_process";
import { globSync, readFileSync, rmSync } from "node:fs";
import { basename, isAbsolute } from "node:path";
import { rolldown } from "rolldown";

rmSync("dist", { recursive: true, force: true });
const commands = globSync("bin/glance-*.js").map((file) => `cli/${basename(file, ".js")}`);
/** What bin/launch.js loads before the command itself. */
const first = "core/session-share";
const bundle = await rolldown({
  input: Object.fromEntries([...commands, first, ...ownModules()].map((path) => [path, `src/${path}.ts`])),
  platform: "node",
  external: (id) => !id.startsWith(".") && !isAbsolute(id),
});
await bundle.write({ dir: "dist", format: "esm", sourcemap: true, chunkFileNames: "joined/[name]-[hash].js" });
await bundle.close();
process.exitCode = spawnSync("node", ["scripts/build-console.ts"], { stdio: "inherit" }).status ?? 1;

/** What runs as a process or thread of its own, by its path in src: see core/package-files.ts. */
function ownModules(): string[] {
  const calls = globSync("src/**/*.ts").flatMap((file) => [
    ...readFileSync(file, "utf8").matchAll(/\bownModule\("([^"]+)"\)/g),
  ]);
  return calls.map(([, path = ""]) => path);
}
