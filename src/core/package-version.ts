// The version of the installed package, which the registry and --version show.
import { readFileSync } from "node:fs";

/** From package.json, two folders above this one in source and when compiled. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
