// Makes the backup of a rollout. It counts when all of it has been read back from the file: same checksum, same rows in every table,
// as many images as the database has. Whatever fails is rollout.backup_failed, with nothing else touched and no partial file left.
import { mkdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { errorText, isServiceError, ServiceError } from "../../core/errors.ts";
import type { Database } from "../../db/database.ts";
import { parseDatabaseUrl } from "../../db/url.ts";
import type { CopyContext, DatabaseCopy, WrittenCopy } from "./database-copy.ts";
import { type Manifest, writeManifest } from "./manifest.ts";
import { createMysqlCopy } from "./mysql-copy.ts";
import { createSqliteCopy } from "./sqlite-copy.ts";

/** Room for the manifest, and for a small database's overhead. */
const bytesNeededMin = 1_000_000;

export type BackupOptions = {
  readonly db: Database;
  readonly databaseUrl: string;
  readonly folder: string;
  readonly rolloutId: string;
  readonly clock: Clock;
  readonly msMax: number;
  readonly signal: AbortSignal;
  /** Progress, for people. */
  readonly report: (text: string) => Promise<void>;
};

/** Throws rollout.backup_failed. */
export async function backUp(options: BackupOptions): Promise<Manifest> {
  const { folder, rolloutId, clock } = options;
  const url = parseDatabaseUrl(options.databaseUrl);
  const copy = url.dialect === "mysql" ? createMysqlCopy(url) : createSqliteCopy();
  const stamp = new Date(clock.nowMs()).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const limit = AbortSignal.timeout(options.msMax);
  const signal = AbortSignal.any([options.signal, limit]);
  const context: CopyContext = { db: options.db, folder, name: `${rolloutId}-at-${stamp}`, signal };
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await checkRoom(copy, context);
    return await writeAndReadBack(copy, context, url.display, options);
  } catch (error) {
    const why = limit.aborted ? `it took longer than ${options.msMax / 1000} s` : describe(error);
    const message = `the backup of ${url.display} into ${folder} failed: ${why}; nothing was changed`;
    throw new ServiceError("rollout.backup_failed", message, { facts: { folder }, cause: error });
  }
}

async function writeAndReadBack(
  copy: DatabaseCopy,
  context: CopyContext,
  database: string,
  options: BackupOptions,
): Promise<Manifest> {
  const { db, folder, signal } = context;
  const startedAt = new Date(options.clock.nowMs()).toISOString();
  const revisions = await db.query<{ version_num: string }>(
    "SELECT version_num FROM alembic_version ORDER BY version_num",
  );
  const imagesBefore = await countImages(db);
  let written: WrittenCopy | undefined;
  let kept = false;
  try {
    written = await copy.write(context);
    const imagesAfter = await countImages(db);
    await options.report(`written: ${written.bytes} bytes; reading it back`);
    const read = await copy.readBack(context, written.file);
    compare(written, read);
    checkImages(read.rows.images, imagesBefore, imagesAfter);
    signal.throwIfAborted();
    const manifest: Manifest = {
      format: 1,
      rolloutId: options.rolloutId,
      database,
      revisions: revisions.map((row) => row.version_num),
      file: written.file,
      bytes: written.bytes,
      sha256: written.sha256,
      rows: read.rows,
      startedAt,
      verifiedAt: new Date(options.clock.nowMs()).toISOString(),
      restore: copy.restore(written.file),
    };
    await writeManifest(folder, manifest);
    kept = true;
    return manifest;
  } finally {
    if (!kept)
      for (const ending of [".sql.zst", ".sqlite.zst"])
        await rm(join(folder, `${context.name}${ending}`), { force: true });
  }
}

async function checkRoom(copy: DatabaseCopy, context: CopyContext): Promise<void> {
  const needed = Math.max(bytesNeededMin, await copy.bytesNeeded(context));
  const { bavail, bsize } = await statfs(context.folder);
  const free = bavail * bsize;
  if (free >= needed) return;
  const mb = (bytes: number) => `${Math.ceil(bytes / 1_000_000)} MB`;
  throw new Error(
    `about ${mb(needed)} are needed and ${mb(free)} are free; make room, or name another backup.directory`,
  );
}

function compare(written: Omit<WrittenCopy, "file">, read: Omit<WrittenCopy, "file">): void {
  if (read.bytes !== written.bytes || read.sha256 !== written.sha256)
    throw new Error("read back, the file is not what was written");
  if (JSON.stringify(read.rows) !== JSON.stringify(written.rows))
    throw new Error("read back, the rows are not those that were written");
}

/** Images are added meanwhile, and seldom purged; the snapshot lies between the two counts. */
function checkImages(found: number | undefined, before: number, after: number): void {
  const [low, high] = [Math.min(before, after), Math.max(before, after)];
  if (found === undefined || found < low || found > high) {
    throw new Error(`it holds ${found ?? "no table of"} images where the database has ${low} to ${high}`);
  }
}

async function countImages(db: Database): Promise<number> {
  const [row] = await db.query<{ n: number }>("SELECT COUNT(*) AS n FROM images");
  return Number(row?.n ?? 0);
}

function describe(error: unknown): string {
  const text = isServiceError(error) ? error.message : errorText(error);
  return text.split("\n")[0] ?? text;
}
