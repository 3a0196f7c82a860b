// Backs up SQLite: a consistent copy made by the database itself while others write, compressed; and puts such a copy in the place of
// the database in one rename.
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, chown, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import Sqlite from "better-sqlite3";
import { isServiceError } from "../../../core/errors.ts";
import { openParsedDatabase } from "../../connect.ts";
import type { Database } from "../../database.ts";
import type { SqliteUrl } from "../../url.ts";
import { readCompressed, writeCompressed } from "../compressed-file.ts";
import { countRows, tablesOf } from "../content.ts";
import type { CopySource, DatabaseCopy, Pass } from "../database-copy.ts";
import { syncFolder } from "../durable.ts";

const exclusiveMsMax = 2_000;

export function createSqliteCopy({ db, url }: CopySource<SqliteUrl>): DatabaseCopy {
  return {
    ending: ".sqlite.zst",

    async about() {
      const [row] = await db.query<{ version: string }>("SELECT sqlite_version() AS version");
      return { server: `SQLite ${row?.version}`, program: "VACUUM INTO" };
    },

    async plainBytes() {
      const [size] = await db.query<{ bytes: number }>(
        "SELECT (page_count - freelist_count) * page_size AS bytes FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()",
      );
      return Number(size?.bytes ?? 0);
    },

    // A plain copy beside the compressed one.
    bytesNeeded: (plainBytes) => 2 * plainBytes,

    async write(path, pass) {
      const plain = `${path}.copy`;
      try {
        // An empty file of that name is filled; this one is readable by us alone.
        await writeFile(plain, "", { flag: "wx", mode: 0o600 });
        await db.session((session) => session.run("VACUUM INTO ?", [plain])).catch(tellWhoseDisk);
        const rows = await withFile(plain, async (copy) => countRows(copy, await tablesOf(copy)));
        return { ...(await writeCompressed(createReadStream(plain), path, pass)), rows };
      } finally {
        await removeFile(plain);
      }
    },

    async read(path, pass) {
      return { ...(await readCompressed(path, pass)), rows: null };
    },

    async withScratch(path, pass, work) {
      const plain = `${path}.check`;
      try {
        await unpack(path, plain, pass);
        return { result: await withSound(plain, work) };
      } finally {
        await removeFile(plain);
      }
    },

    // They lie in the folder of the backup, which is removed as a whole.
    removeLeftovers: async () => undefined,

    async replace(path, pass, { seal }) {
      const target = resolve(url.path);
      const plain = `${target}.restoring`;
      // Of a restore that was killed: nobody looks at it.
      await removeFile(plain);
      try {
        await unpack(path, plain, pass);
        await withSound(plain, seal);
        pass.signal.throwIfAborted();
        await takeAttributes(plain, target);
        await db.close();
        await swap(plain, target);
      } finally {
        await removeFile(plain);
      }
    },

    byHand: (file) =>
      `zstd -d ${file} -o glance.sqlite   (with every node stopped; remove glance.sqlite-wal and -shm first)`,
  };
}

/** The database says that it has no room, but it is the copy that has none. */
function tellWhoseDisk(error: unknown): never {
  if (isServiceError(error, "db.full")) throw new Error("the disk is full", { cause: error });
  throw error;
}

async function unpack(path: string, plain: string, pass: Pass): Promise<void> {
  const sink = createWriteStream(plain, { flags: "wx", mode: 0o600, flush: true });
  await readCompressed(path, pass, undefined, sink);
}

function withSound<T>(path: string, work: (copy: Database) => Promise<T>): Promise<T> {
  return withFile(path, async (copy) => {
    const found = await copy.query("PRAGMA integrity_check(3)");
    const said = found.map((row) => String(Object.values(row)[0])).join("; ");
    if (said !== "ok") throw new Error(`read back, the copy is damaged: ${said}`);
    return work(copy);
  });
}

async function withFile<T>(path: string, work: (copy: Database) => Promise<T>): Promise<T> {
  const url: SqliteUrl = { dialect: "sqlite", path, ignored: [], display: `sqlite:///${path}` };
  const copy = await openParsedDatabase(url, { poolSizeMax: 1 });
  try {
    return await work(copy);
  } finally {
    await copy.close();
  }
}

/** The nodes must be able to open what stands there afterwards, as they could before. */
async function takeAttributes(plain: string, target: string): Promise<void> {
  const [old, made] = [await stat(target), await stat(plain)];
  await chmod(plain, old.mode & 0o777);
  if (old.uid !== made.uid || old.gid !== made.gid) await chown(plain, old.uid, old.gid);
}

/**
 * Nobody else may have the old file open: they would go on with it. Leaving WAL mode needs the file alone, and takes the files beside it
 * away, which would not fit the new one.
 */
async function swap(plain: string, target: string): Promise<void> {
  const old = new Sqlite(target, { timeout: exclusiveMsMax });
  try {
    old.pragma("journal_mode = delete");
    old.exec("BEGIN EXCLUSIVE");
    await syncFile(plain);
    await rename(plain, target);
    await syncFolder(dirname(target));
  } catch (error) {
    if (error instanceof Sqlite.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(error.code))
      throw new Error(`another process has ${target} open; stop it first`, { cause: error });
    throw error;
  } finally {
    old.close();
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function removeFile(path: string): Promise<void> {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) await rm(`${path}${suffix}`, { force: true });
}
