// A package like this one, whose nodes are bad: everything is this checkout's but the program of glance-api, which misbehaves first.
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { BadRelease } from "../../../src/rollout/testing/simulation/scenario.ts";

export const badReleaseVariable = "PERENNIAL_TEST_BAD_RELEASE";
/** What it answers in the place of the service, by which a client knows whose failure it was. */
export const badAnswer = "of a bad release";

export const checkout = fileURLToPath(new URL("../../../", import.meta.url));

/** Makes it in `folder`, which is new. */
export async function makeBadPackage(folder: string, how: BadRelease): Promise<void> {
  const bin = join(folder, "bin");
  await mkdir(bin, { recursive: true });
  await symlink(join(checkout, "package.json"), join(folder, "package.json"));
  for (const name of await readdir(join(checkout, "bin")))
    if (name !== "glance-api.js") await symlink(join(checkout, "bin", name), join(bin, name));
  const misbehave = new URL("misbehave.ts", import.meta.url).href;
  const program = pathToFileURL(join(checkout, "bin", "glance-api.js")).href;
  const lines = [
    `process.env.${badReleaseVariable} = ${JSON.stringify(how)};`,
    // Workers are processes of their own.
    `process.env.NODE_OPTIONS = \`\${process.env.NODE_OPTIONS ?? ""} --import ${misbehave}\`;`,
    `await import(${JSON.stringify(program)});`,
  ];
  await writeFile(join(bin, "glance-api.js"), `${lines.join("\n")}\n`);
}
