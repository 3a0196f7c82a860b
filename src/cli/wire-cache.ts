// Opens this node's image cache with the index that the operator chose.
import { existsSync } from "node:fs";
import { CacheFolder, incompleteFolder } from "../cache/cache-folder.ts";
import type { CacheIndex } from "../cache/cache-index.ts";
import type { CacheSettings } from "../cache/config.ts";
import { FileCache } from "../cache/file-cache.ts";
import { openXattrIndex } from "../cache/xattr-index.ts";
import { systemClock } from "../core/clock.ts";
import { errorText, ServiceError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { Database } from "../db/database.ts";
import { openCacheIndex } from "../db/repositories/cache-index.ts";
import { openSqliteCacheIndex } from "../db/repositories/sqlite-cache-index.ts";
import { openFileStore } from "../stores/file/file-store.ts";

const readBytes = 65_536;

/** What the index may need: opened only where it does, and left open when the cache is closed. */
type OpenDatabase = () => Promise<Database>;

/** Throws config.invalid, what the database says. */
export async function openCache(settings: CacheSettings, openDb: OpenDatabase, logger: Logger): Promise<FileCache> {
  const { directory, bytesMax, stallSeconds } = settings;
  const folder = new CacheFolder(directory);
  try {
    await folder.prepare();
  } catch (error) {
    throw new ServiceError(
      "config.invalid",
      `[DEFAULT] image_cache_dir: ${directory} cannot be used as a directory (${errorText(error)}).`,
      { facts: { section: "DEFAULT", option: "image_cache_dir" }, cause: error },
    );
  }
  const store = await openFileStore({
    dataDirectory: directory,
    filePermissions: null,
    readBytes,
    partialFolder: incompleteFolder,
    // A download that fills the cache is not to wait for the cache's disk.
    lateFlush: true,
  });
  const index = await openIndex(settings, openDb, logger);
  return new FileCache({ folder, store, index, bytesMax, stallSeconds, logger, clock: systemClock });
}

async function openIndex(settings: CacheSettings, openDb: OpenDatabase, logger: Logger): Promise<CacheIndex> {
  const { directory, driver, selfUrl, sqlitePath } = settings;
  if (driver === "sqlite") return openSqliteCacheIndex(sqlitePath, logger);
  const index = selfUrl === null ? await openXattrIndex(directory) : await openCacheIndex(await openDb(), selfUrl);
  await takeOver(sqlitePath, index, logger);
  return index;
}

/**
 * What was noted in the node's own file, by the releases before or until the driver was changed: without the checksums a copy of data that was
 * replaced meanwhile would be believed.
 */
async function takeOver(sqlitePath: string, index: CacheIndex, logger: Logger): Promise<void> {
  if (!existsSync(sqlitePath)) return;
  const older = await openSqliteCacheIndex(sqlitePath, logger);
  try {
    const known = new Set((await index.list()).map(({ imageId }) => imageId));
    for (const row of await older.list())
      if (!known.has(row.imageId)) await index.record({ ...row, atMs: row.lastAccessedMs });
  } finally {
    await older.close();
  }
}
