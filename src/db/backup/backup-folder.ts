// The folder of backups: each backup is a folder in it that appears by one rename, when it is whole and proven. What is being written
// has the ending .partial and says who writes it; what a killed run left is removed by the next one.

import { existsSync, readdirSync, statSync } from "node:fs";
import { mkdir, readdir, rename, rm, statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { syncFolder, writeDurably } from "./durable.ts";
import { type FoundBackup, type Manifest, manifestName, readBackup } from "./manifest.ts";

const partialEnding = ".partial";

export type PartialBackup = {
  readonly path: string;
  /** Makes it a backup; resolves to its folder. */
  publish(manifest: Manifest): Promise<string>;
  discard(): Promise<void>;
};

/** `at`: the time that its name carries. Makes `folder` where it is missing. */
export async function openPartial(folder: string, label: string, at: Date): Promise<PartialBackup> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const stamp = at.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  let name = `${label}-at-${stamp}`;
  for (let n = 2; existsSync(join(folder, name)); n++) name = `${label}-at-${stamp}-${n}`;
  // Its writer stands in the name, so that there is no moment at which a kill leaves a folder of nobody.
  const path = join(folder, `${name}.${process.pid}@${hostname()}${partialEnding}`);
  await mkdir(path, { mode: 0o700 });
  return {
    path,
    async publish(manifest) {
      await writeDurably(join(path, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
      await syncFolder(path);
      await rename(path, join(folder, name));
      await syncFolder(folder);
      return join(folder, name);
    },
    discard: () => rm(path, { recursive: true, force: true }),
  };
}

/** Removes what processes of this machine left that are gone. Those of other machines cannot be asked. */
export async function removePartials(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []); // Not there yet.
  for (const name of names.filter((one) => one.endsWith(partialEnding))) {
    const path = join(folder, name);
    if (isAbandoned(name)) await rm(path, { recursive: true, force: true });
  }
}

function isAbandoned(name: string): boolean {
  const [, pid, host] = /\.(\d+)@(.*)\.partial$/.exec(name) ?? [];
  if (pid === undefined || host !== hostname()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** The newest proven backup of this label whose data still has its size; undefined where there is none. */
export function findBackup(folder: string, label: string): FoundBackup | undefined {
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch {
    // No folder, no backup.
    return undefined;
  }
  const begin = `${label}-at-`;
  return names
    .filter((name) => name.startsWith(begin) && !name.endsWith(partialEnding))
    .map((name) => soundBackup(join(folder, name)))
    .filter((found) => found !== undefined && found.manifest.label === label && found.manifest.verified !== "none")
    .sort((a, b) => ((a?.manifest.startedAt ?? "") < (b?.manifest.startedAt ?? "") ? -1 : 1))
    .at(-1);
}

function soundBackup(path: string): FoundBackup | undefined {
  try {
    const found = readBackup(path);
    const size = statSync(join(path, found.manifest.file), { throwIfNoEntry: false })?.size;
    return size === found.manifest.bytes ? found : undefined;
  } catch {
    // What cannot be read proves nothing.
    return undefined;
  }
}

/** Throws a sentence about what is needed and what is free. */
export async function checkRoom(folder: string, bytesNeeded: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytesNeeded) return;
  const mb = (bytes: number) => `${Math.ceil(bytes / 1_000_000)} MB`;
  throw new Error(`about ${mb(bytesNeeded)} are needed and ${mb(free)} are free; make room, or name another folder`);
}
