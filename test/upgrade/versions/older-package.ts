// Two versions of the package as they would be installed, each in a folder of its own: the one of a fixed earlier commit, and today's.
import assert from "node:assert/strict";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { finish } from "../../../demo/processes.ts";

const checkout = fileURLToPath(new URL("../../..", import.meta.url));
/** The last one before rollouts had their journal in the database, hand-overs, gates and a way back. */
const olderCommit = "83bded0045736478538e6ca11f296493cf908e62";
const olderVersion = "0.0.9";

export type Versions = {
  /** Folders of the installed packages. */
  readonly older: string;
  readonly today: string;
  readonly olderVersion: string;
  readonly todayVersion: string;
  /** What the older one was made from, in words. */
  readonly madeFrom: string;
};

/** Both are packed and unpacked below `folder`. The older one's version is changed, so that nodes tell which one they run. */
export async function packVersions(folder: string): Promise<Versions> {
  const source = join(folder, "older-source");
  const hasCommit = (await finish(["git", "-C", checkout, "cat-file", "-e", `${olderCommit}^{commit}`])).code === 0;
  await mkdir(source);
  if (hasCommit) {
    const archive = join(folder, "older.tar");
    await ok(["git", "-C", checkout, "archive", "--output", archive, olderCommit]);
    await ok(["tar", "--extract", "--file", archive, "--directory", source]);
  } else {
    const parts = [
      "bin",
      "src",
      "console",
      "docs",
      "deploy",
      "scripts",
      "package.json",
      "tsconfig.json",
      "LICENSE",
      "README.md",
      "ARCHITECTURE.md",
      "CHANGELOG.md",
    ];
    await ok(["cp", "--recursive", ...parts.map((name) => join(checkout, name)), source]);
  }
  await symlink(join(checkout, "node_modules"), join(source, "node_modules"));
  const manifest = join(source, "package.json");
  const text = JSON.parse(await readFile(manifest, "utf8")) as { dependencies: object };
  const now = JSON.parse(await readFile(join(checkout, "package.json"), "utf8")) as {
    version: string;
    dependencies: object;
  };
  // It runs by the libraries of this checkout: they have to be the ones it was made for.
  for (const [name, version] of Object.entries(text.dependencies))
    assert.equal(
      (now.dependencies as Record<string, string>)[name],
      version,
      `${name} is another one today: fix the older commit anew`,
    );
  await writeFile(manifest, JSON.stringify({ ...text, version: olderVersion }));
  return {
    older: await installed(source, join(folder, "older")),
    today: await installed(checkout, join(folder, "today")),
    olderVersion,
    todayVersion: now.version,
    madeFrom: hasCommit
      ? `commit ${olderCommit}`
      : "today's tree, because this clone does not reach back to the older commit",
  };
}

async function installed(source: string, place: string): Promise<string> {
  await mkdir(place);
  const packed = await ok(["npm", "pack", "--json", "--pack-destination", place], source);
  const name = /"filename":\s*"([^"]+)"/.exec(packed)?.[1] ?? assert.fail(packed);
  await ok(["tar", "--extract", "--gzip", "--file", join(place, name), "--directory", place]);
  await symlink(join(checkout, "node_modules"), join(place, "package/node_modules"));
  return join(place, "package");
}

async function ok(command: readonly string[], cwd?: string): Promise<string> {
  const ended = await finish(command, { msMax: 900_000, ...(cwd !== undefined && { cwd }) });
  assert.equal(ended.code, 0, `${ended.stdout}\n${ended.stderr}`);
  return ended.stdout;
}
