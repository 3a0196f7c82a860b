// The version of the installed package, which the registry and --version show.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "./package-files.ts";

export function packageVersion(): string {
  const text = readFileSync(join(packageRoot, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
