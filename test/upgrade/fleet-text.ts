// Changes to a fleet's file, as its operator would make them with an editor.
import { readFile, writeFile } from "node:fs/promises";
import { parse, stringify } from "yaml";

/** Keys of `change` take the place of the file's; within `gates` one by one. */
export async function changeFile(
  file: string,
  change: { readonly gates?: object; readonly [key: string]: unknown },
): Promise<void> {
  const tree = parse(await readFile(file, "utf8")) as { gates?: object };
  await writeFile(file, stringify({ ...tree, ...change, gates: { ...tree.gates, ...change.gates } }));
}
