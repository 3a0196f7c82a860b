// Puts a backup in the place of what a database holds, while nobody serves from it. Refused before anything is touched where the backup
// is not sound, the database is not empty or somebody is at work on it; killed, it leaves what the next restore recognises.
import { join } from "node:path";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import { withAdvisoryLock } from "../advisory-lock.ts";
import type { Database } from "../database.ts";
import { liveNodes, unknownConnections } from "../schema/contract-blockers.ts";
import { engineLockName } from "../schema/engine-run.ts";
import { restoreMarkerTable } from "../schema/restore-marker.ts";
import { presentTables } from "../schema/schema-tools.ts";
import { parseDatabaseUrl } from "../url.ts";
import { backUpUnderLocks, backupLockName } from "./back-up.ts";
import { hashFile } from "./compressed-file.ts";
import { compareRows, countRows, readRevisions, tablesOf } from "./content.ts";
import { createCopy } from "./copies.ts";
import { failureOf } from "./failure.ts";
import { type FoundBackup, type Manifest, readBackup } from "./manifest.ts";
import { type BackupProgress, meter } from "./progress.ts";

export type RestoreOptions = {
  /** The target. SQLite: closed afterwards. */
  readonly db: Database;
  readonly databaseUrl: string;
  /** A backup's folder, or a file in it. */
  readonly file: string;
  /** Whether a database that is not empty may be replaced. */
  readonly replace: boolean;
  /** Where what is replaced is backed up first; null: it is lost. */
  readonly keepIn: string | null;
  readonly signal: AbortSignal;
  readonly on?: (progress: BackupProgress) => void;
};

export type Restored = {
  readonly path: string;
  readonly manifest: Manifest;
  /** The backup of what was replaced; null where there was nothing, or it was not wanted. */
  readonly kept: string | null;
  /** Uploads that were under way when the backup was made: nodes put these images back to queued. */
  readonly uploadsCut: number;
  readonly warnings: readonly string[];
};

/** Throws db.restore_refused with nothing changed, db.restore_failed, schema.locked, and db errors. */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { db, file } = options;
  const backup = readBackup(file);
  const url = parseDatabaseUrl(options.databaseUrl);
  if (backup.manifest.dialect !== url.dialect)
    throw refused(`${file} is of a ${backup.manifest.dialect} database, and ${url.display} is another kind`);
  await checkFile(backup, options);
  const alone = <T>(name: string, work: (lost: AbortSignal) => Promise<T>) =>
    withAdvisoryLock(db, name, work, { waitMsMax: 0 });
  return alone(backupLockName, (first) =>
    alone(engineLockName, (second) =>
      restoreUnderLocks(backup, { ...options, signal: AbortSignal.any([options.signal, first, second]) }),
    ),
  );
}

async function checkFile({ folder, manifest }: FoundBackup, { file, signal, on }: RestoreOptions): Promise<void> {
  const progress = meter("check", manifest.bytes, on ?? (() => undefined));
  const found = await hashFile(join(folder, manifest.file), { signal, moved: progress.moved }).catch((error) => {
    if (signal.aborted) throw signal.reason;
    throw refused(`${file} cannot be restored: its data cannot be read: ${(error as Error).message}`);
  });
  progress.end();
  if (found.bytes !== manifest.bytes || found.sha256 !== manifest.sha256)
    throw refused(
      `${file} cannot be restored: its data is not what was written (${found.bytes} bytes, sha256 ${found.sha256}; ` +
        `the manifest says ${manifest.bytes} bytes, sha256 ${manifest.sha256}); use another backup`,
    );
}

async function restoreUnderLocks(backup: FoundBackup, options: RestoreOptions): Promise<Restored> {
  const { db, databaseUrl, signal } = options;
  const { manifest, folder } = backup;
  const display = parseDatabaseUrl(databaseUrl).display;
  const state = await readTarget(options, display);
  const kept = state === "full" ? await keep(options) : null;
  const warnings = (await unknownConnections(db)).map((line) => `${line}: it must not write to this database`);
  const copy = createCopy(db, parseDatabaseUrl(databaseUrl));
  const progress = meter("load", manifest.plainBytes, options.on ?? (() => undefined));
  let uploadsCut = 0;
  const seal = async (made: Database) => {
    progress.end();
    uploadsCut = await sealRestored(made, manifest);
    signal.throwIfAborted();
  };
  try {
    const pass = { signal, moved: progress.moved };
    const wasEmpty = state !== "full";
    await copy.replace(join(folder, manifest.file), pass, { seal, label: options.file, wasEmpty });
  } catch (error) {
    const after = await afterFailure(options, state, kept);
    throw failureOf(
      signal.aborted ? signal.reason : error,
      "db.restore_failed",
      (why) => `the restore of ${options.file} into ${display} failed: ${why}; ${after}`,
    );
  }
  return { path: folder, manifest, kept, uploadsCut, warnings };
}

/** `cut`: an earlier restore was killed here, so nothing of it is worth keeping. Throws db.restore_refused. */
async function readTarget(options: RestoreOptions, display: string): Promise<"empty" | "cut" | "full"> {
  const { db, replace } = options;
  const tables = await tablesOf(db);
  if (tables.length === 0) return "empty";
  if (tables.includes(restoreMarkerTable)) return "cut";
  const nodes = await liveNodes(db);
  if (nodes.length > 0) {
    const list = nodes.map((node) => `${node.name} (${node.secondsAgo} s ago)`).join(", ");
    throw refused(`${display} is not restored while nodes are alive: ${list}; stop them first`);
  }
  if (!replace)
    throw refused(
      `${display} is not empty (${tables.length} tables): name an empty database, or give --replace, which backs it up first`,
    );
  return "full";
}

/** Whole or not at all: a failure here leaves the database as it was. */
async function keep({ db, databaseUrl, keepIn, signal, on }: RestoreOptions): Promise<string | null> {
  if (keepIn === null) return null;
  const label = "before-restore";
  return (await backUpUnderLocks({ db, databaseUrl, folder: keepIn, label, signal, ...(on && { on }) })).path;
}

/** What the backup held must be here; what was true only at its time must not. */
async function sealRestored(db: Database, manifest: Manifest): Promise<number> {
  compareRows(await countRows(db, Object.keys(manifest.rows)), manifest.rows, "restored");
  const revisions = await readRevisions(db);
  if (revisions.join() !== manifest.revisions.join())
    throw new Error(`it is at ${revisions.join(", ")}, and the backup at ${manifest.revisions.join(", ")}`);
  const tables = await presentTables(db);
  // No node of then runs now. A fresh heartbeat among them would hold up contract, and a node's own name.
  if (tables.has("perennial_nodes")) await db.run("DELETE FROM perennial_nodes");
  // Their processes are gone. Over, but not removed: the first node finds them, removes what they wrote and puts the image back to queued.
  const now = db.dialect.nowSql;
  let cut = 0;
  for (const table of ["perennial_uploads", "perennial_imports"])
    if (tables.has(table)) cut += (await db.run(`UPDATE ${table} SET expires_at = ${now}`)).rowsAffected;
  return cut;
}

async function afterFailure(
  { db }: RestoreOptions,
  state: "empty" | "cut" | "full",
  kept: string | null,
): Promise<string> {
  let marked: boolean;
  try {
    marked = (await presentTables(db)).has(restoreMarkerTable);
  } catch (error) {
    // SQLite, closed before its one step, which cannot be half done; a server that is gone cannot say.
    if (!isServiceError(error)) return "the database is as it was";
    return "if `glance-manage db check` speaks of a restore, run it again";
  }
  if (!marked) return state === "full" ? "the database is as it was" : "the database is empty";
  const back = kept === null ? "" : `, or go back with \`glance-manage db restore ${kept}\``;
  return `the database is marked as half restored: run the restore again${back}`;
}

function refused(message: string): ServiceError {
  return new ServiceError("db.restore_refused", message);
}
