// What is known of a backup, in its folder beside its data: written last, so a folder with a manifest is a whole backup.
import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorText, ServiceError } from "../../core/errors.ts";
import type { Dialect } from "../database.ts";
import type { Rows } from "./database-copy.ts";

export const manifestFormat = 2;
export const manifestName = "manifest.json";

/** How a backup was proven: restored into a database of its own and counted, or read through; or not at all. */
export type Verified = "restoring" | "reading" | "none";

export type Manifest = {
  readonly format: typeof manifestFormat;
  /** What the backup is of, such as a rollout's id; its folder's name begins with it. */
  readonly label: string;
  readonly dialect: Dialect["name"];
  /** Where the data came from, without password. */
  readonly database: string;
  /** Versions: of the server, of the program that read from it, and of this package. */
  readonly server: string;
  readonly program: string;
  readonly tool: string;
  /** The newest release whose contract, and whose expand, was done; null before Newton. */
  readonly contracted: string | null;
  readonly expanded: string | null;
  /** What alembic_version showed. */
  readonly revisions: readonly string[];
  /** Name of the data file, in the manifest's folder. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly plainBytes: number;
  /** Rows of each table in it. */
  readonly rows: Rows;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly verified: Verified;
  /** Why it was not proven by restoring; null where it was. */
  readonly verifiedWhy: string | null;
  /** A command line that gets the data back without us. */
  readonly byHand: string;
};

export type FoundBackup = { readonly folder: string; readonly manifest: Manifest };

/** `path`: a backup's folder, its manifest or its data file. Throws db.restore_refused where that is no backup we can read. */
export function readBackup(path: string): FoundBackup {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory();
  if (isFolder === undefined) throw refused(path, "there is no such file or folder");
  const folder = isFolder ? path : dirname(path);
  let text: string;
  try {
    text = readFileSync(join(folder, manifestName), "utf8");
  } catch (error) {
    throw refused(path, `its manifest cannot be read: ${errorText(error)}`);
  }
  return { folder, manifest: parseManifest(path, text) };
}

function parseManifest(path: string, text: string): Manifest {
  let found: Partial<Manifest> | null;
  try {
    found = JSON.parse(text) as Partial<Manifest> | null;
  } catch (error) {
    throw refused(path, `its manifest is damaged: ${errorText(error)}`);
  }
  const format = Number(found?.format);
  if (format > manifestFormat)
    throw refused(path, `its manifest has format ${format}, and this version reads ${manifestFormat}: use a newer one`);
  const { file, bytes, sha256, rows, revisions, dialect } = found ?? {};
  const whole =
    format === manifestFormat &&
    typeof file === "string" &&
    !/[/\\]/.test(file) &&
    typeof bytes === "number" &&
    typeof sha256 === "string" &&
    typeof dialect === "string" &&
    typeof rows === "object" &&
    Array.isArray(revisions);
  if (!whole) throw refused(path, "its manifest is not one of a backup");
  return found as Manifest;
}

function refused(path: string, why: string): ServiceError {
  return new ServiceError("db.restore_refused", `${path} cannot be restored: ${why}`, { facts: { path } });
}
