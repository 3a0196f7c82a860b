// Makes a backup while the fleet serves: one consistent snapshot in a file, which counts when it has been restored elsewhere, or at least
// read through, and holds what the database holds. Whatever fails leaves nothing behind.
import { join } from "node:path";
import { type Clock, systemClock } from "../../core/clock.ts";
import { packageVersion } from "../../core/package-version.ts";
import { withAdvisoryLock } from "../advisory-lock.ts";
import type { Database } from "../database.ts";
import { engineLockName } from "../schema/engine-run.ts";
import { refuseHalfRestored } from "../schema/restore-marker.ts";
import { readStanding, releaseAt } from "../schema/revisions.ts";
import { presentTables } from "../schema/schema-tools.ts";
import { parseDatabaseUrl } from "../url.ts";
import { checkRoom, openPartial, type PartialBackup, removePartials } from "./backup-folder.ts";
import { compareRows, countRows, readRevisions } from "./content.ts";
import { createCopy } from "./copies.ts";
import type { DatabaseCopy, FileFacts, Rows } from "./database-copy.ts";
import { failureOf } from "./failure.ts";
import { type Manifest, manifestFormat, type Verified } from "./manifest.ts";
import { type BackupProgress, meter } from "./progress.ts";

/** One backup or restore of a database at a time. */
export const backupLockName = "perennial-backup";
/** Room for the manifest, and for a small database's overhead. */
const bytesNeededMin = 1_000_000;

export type BackupOptions = {
  readonly db: Database;
  readonly databaseUrl: string;
  /** Where the backup's own folder is made. */
  readonly folder: string;
  /** What the folder's name begins with; default: glance and the release. */
  readonly label?: string;
  /** How it is proven; default: by restoring where that is allowed, by reading elsewhere. */
  readonly verify?: "restore" | "read" | "none";
  readonly signal: AbortSignal;
  readonly on?: (progress: BackupProgress) => void;
  readonly clock?: Clock;
  /** How long to wait for a schema change under way, or another backup, to end. */
  readonly lockMsMax?: number;
};

export type Backup = { readonly path: string; readonly manifest: Manifest };

type Work = Required<Omit<BackupOptions, "label" | "verify" | "lockMsMax">> &
  Pick<BackupOptions, "label" | "verify"> & {
    readonly copy: DatabaseCopy;
  };

/** Throws db.backup_failed; schema.locked, db.unreachable, db.access_denied, schema.interrupted for what has a code of its own. */
export async function backUp(options: BackupOptions): Promise<Backup> {
  const waitMsMax = options.lockMsMax ?? 0;
  return told(options, () =>
    withAdvisoryLock(
      options.db,
      backupLockName,
      (lost) => {
        const signal = AbortSignal.any([options.signal, lost]);
        // No phase runs while the snapshot is taken; proving it needs nothing of the database.
        const alone = <T>(work: (lost: AbortSignal) => Promise<T>) =>
          withAdvisoryLock(options.db, engineLockName, work, { waitMsMax });
        return work({ ...options, signal }, alone);
      },
      { waitMsMax },
    ),
  );
}

/** The same for who holds both locks. */
export async function backUpUnderLocks(options: BackupOptions): Promise<Backup> {
  return told(options, () => work(options, (write) => write(options.signal)));
}

async function told(options: BackupOptions, make: () => Promise<Backup>): Promise<Backup> {
  try {
    return await make();
  } catch (error) {
    const { display } = parseDatabaseUrl(options.databaseUrl);
    throw failureOf(
      options.signal.aborted ? options.signal.reason : error,
      "db.backup_failed",
      (why) => `the backup of ${display} into ${options.folder} failed: ${why}; nothing was changed`,
    );
  }
}

type Alone = <T>(work: (lost: AbortSignal) => Promise<T>) => Promise<T>;

async function work(options: BackupOptions, alone: Alone): Promise<Backup> {
  const { db, folder, clock = systemClock, on = () => undefined } = options;
  options.signal.throwIfAborted();
  const copy = createCopy(db, parseDatabaseUrl(options.databaseUrl));
  const all: Work = { ...options, clock, on, copy };
  await removePartials(folder);
  await copy.removeLeftovers();
  const about = await copy.about();
  const standing = await readStandingOf(db);
  const label = options.label ?? `glance-${standing.contracted ?? "early"}`;
  const startedAt = new Date(clock.nowMs());
  const partial = await openPartial(folder, label, startedAt);
  try {
    const file = `data${copy.ending}`;
    const path = join(partial.path, file);
    const written = await alone((lost) =>
      write({ ...all, signal: AbortSignal.any([all.signal, lost]) }, partial, path),
    );
    const proof = await prove(all, path, written);
    all.signal.throwIfAborted();
    const manifest: Manifest = {
      format: manifestFormat,
      label,
      dialect: db.dialect.name,
      database: parseDatabaseUrl(options.databaseUrl).display,
      ...about,
      tool: `perennial ${packageVersion()}`,
      contracted: written.contracted,
      expanded: written.expanded,
      revisions: written.revisions,
      file,
      bytes: written.bytes,
      sha256: written.sha256,
      plainBytes: written.plainBytes,
      rows: written.rows,
      startedAt: startedAt.toISOString(),
      finishedAt: new Date(clock.nowMs()).toISOString(),
      ...proof,
      byHand: copy.byHand(file),
    };
    return { path: await partial.publish(manifest), manifest };
  } catch (error) {
    await partial.discard();
    throw error;
  }
}

type Written = FileFacts & { readonly rows: Rows } & Awaited<ReturnType<typeof readStandingOf>>;

async function write({ db, copy, signal, on }: Work, partial: PartialBackup, path: string): Promise<Written> {
  await refuseHalfRestored(db);
  const standing = await readStandingOf(db);
  const plainBytes = await copy.plainBytes();
  await checkRoom(partial.path, Math.max(bytesNeededMin, copy.bytesNeeded(plainBytes)));
  const before = await countImages(db);
  const progress = meter("write", plainBytes, on);
  const written = await copy.write(path, { signal, moved: progress.moved });
  progress.end();
  checkImages(written.rows.images, before, await countImages(db));
  return { ...written, ...standing };
}

/** From the file alone. */
async function prove(
  all: Work,
  path: string,
  written: Written,
): Promise<{ verified: Verified; verifiedWhy: string | null }> {
  const { copy, verify, on, signal } = all;
  if (verify === "none") return { verified: "none", verifiedWhy: "not asked for" };
  const reading = meter("read_back", written.plainBytes, on);
  const read = await copy.read(path, { signal, moved: reading.moved });
  reading.end();
  if (read.bytes !== written.bytes || read.sha256 !== written.sha256 || read.plainBytes !== written.plainBytes)
    throw new Error("read back, the file is not what was written");
  if (read.rows) compareRows(read.rows, written.rows, "read back");
  if (verify === "read") return { verified: "reading", verifiedWhy: "asked for" };
  const loading = meter("load", written.plainBytes, on);
  const scratched = await copy.withScratch(path, { signal, moved: loading.moved }, async (scratch) => {
    loading.end();
    compareRows(await countRows(scratch, Object.keys(written.rows)), written.rows, "restored for a test");
    const revisions = await readRevisions(scratch);
    if (revisions.join() !== written.revisions.join())
      throw new Error(
        `restored for a test, it is at ${revisions.join(", ")}, and the database at ${written.revisions.join(", ")}`,
      );
  });
  if ("result" in scratched) return { verified: "restoring", verifiedWhy: null };
  if (verify === "restore") throw new Error(`it cannot be restored for a test: ${scratched.refused}`);
  return { verified: "reading", verifiedWhy: scratched.refused };
}

async function readStandingOf(db: Database) {
  const tables = await presentTables(db);
  const standing = await readStanding(db, { hasTable: (name) => tables.has(name) });
  if (!tables.has("images") || !tables.has("alembic_version"))
    throw new Error("it holds no database of the image service under version control; see glance-manage db version");
  return {
    contracted: releaseAt(standing.contractLevel)?.id ?? null,
    expanded: releaseAt(standing.expandLevel)?.id ?? null,
    revisions: await readRevisions(db),
  };
}

/** Images are added meanwhile, and seldom purged; the snapshot lies between the two counts. */
function checkImages(found: number | undefined, before: number, after: number): void {
  const [low, high] = [Math.min(before, after), Math.max(before, after)];
  if (found === undefined || found < low || found > high)
    throw new Error(`it holds ${found ?? "no table of"} images where the database has ${low} to ${high}`);
}

async function countImages(db: Database): Promise<number> {
  const [row] = await db.query<{ n: number | string }>("SELECT COUNT(*) AS n FROM images");
  return Number(row?.n ?? 0);
}
