// Where files of this package are: in a checkout the sources run as they are; of the installed package they are joined to few files, so that no
// module knows from its own address where another one is.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The folder of package.json. */
export const packageRoot = findRoot(dirname(fileURLToPath(import.meta.url)));

/** The script of a command, by its name: `glance-api`. */
export function commandScript(name: string): string {
  return join(packageRoot, "bin", `${name}.js`);
}

/**
 * A module that is run as a process or thread of its own, by its path in src without the ending. scripts/build.ts looks for calls of this function,
 * since the installed package has such modules in files of their own: the path has to stand in the call.
 */
export function ownModule(path: string): URL {
  const isSource = import.meta.url.endsWith(".ts");
  return pathToFileURL(join(packageRoot, isSource ? "src" : "dist", `${path}.${isSource ? "ts" : "js"}`));
}

function findRoot(folder: string): string {
  if (existsSync(join(folder, "package.json"))) return folder;
  const above = dirname(folder);
  if (above === folder) throw new Error(`no package.json above ${import.meta.url}`);
  return findRoot(above);
}
