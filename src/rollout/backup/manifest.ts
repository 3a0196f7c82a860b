// What is known of a backup, beside it: written only after the backup was read back, so a manifest is the proof of it.
import { readFileSync, statSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";

export type Manifest = {
  readonly format: 1;
  readonly rolloutId: string;
  /** Where the data came from, without password. */
  readonly database: string;
  /** What alembic_version showed. */
  readonly revisions: readonly string[];
  /** Name of the file, in the manifest's folder. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Rows of each table in it. */
  readonly rows: Readonly<Record<string, number>>;
  readonly startedAt: string;
  readonly verifiedAt: string;
  /** How to get the data back. */
  readonly restore: string;
};

export function manifestPath(folder: string, rolloutId: string): string {
  return join(folder, `${rolloutId}.manifest.json`);
}

/** The manifest of this rollout's backup where its file still stands as it was; undefined otherwise: then there is no backup. */
export function findManifest(folder: string, rolloutId: string): Manifest | undefined {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(manifestPath(folder, rolloutId), "utf8")) as Manifest;
  } catch {
    // None, or not readable as one: what cannot be read proves nothing.
    return undefined;
  }
  if (manifest.format !== 1 || manifest.rolloutId !== rolloutId) return undefined;
  const stat = statSync(join(folder, manifest.file), { throwIfNoEntry: false });
  return stat?.size === manifest.bytes ? manifest : undefined;
}

/** On disk, whole, when it returns. */
export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const path = manifestPath(folder, manifest.rolloutId);
  const file = await open(`${path}.new`, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(manifest, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  const directory = await open(dirname(path), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
