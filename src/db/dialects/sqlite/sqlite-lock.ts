// Named locks on SQLite: an exclusive transaction on a small file beside the database. The operating system frees it when its holder dies.
import { setTimeout as sleep } from "node:timers/promises";
import Sqlite from "better-sqlite3";
import { errorText, ServiceError } from "../../../core/errors.ts";
import type { AdvisoryLock } from "../../database.ts";
import { translateSqliteFailure } from "./sqlite-errors.ts";

const retryMs = 25;

/** Throws schema.locked, and db.unreachable where the file cannot be made. */
export async function acquireSqliteLock(databasePath: string, name: string, waitMsMax: number): Promise<AdvisoryLock> {
  const path = `${databasePath}.${name.replaceAll(/[^\w.-]/g, "_")}.lock`;
  const deadlineMs = performance.now() + waitMsMax;
  const file = openFile(path);
  try {
    while (!tryLock(file)) {
      if (performance.now() + retryMs > deadlineMs)
        throw new ServiceError(
          "schema.locked",
          `another process holds the lock ${name} (${path}); wait until it is done and try again`,
          {
            facts: { name },
          },
        );
      await sleep(retryMs);
    }
  } catch (error) {
    file.close();
    throw error;
  }
  return {
    // Nothing but the end of this process takes the lock away.
    lost: new AbortController().signal,
    async release() {
      file.close();
    },
  };
}

function openFile(path: string): Sqlite.Database {
  try {
    return new Sqlite(path, { timeout: 0 });
  } catch (error) {
    throw new ServiceError("db.unreachable", `the lock file ${path} cannot be opened: ${errorText(error)}`, {
      cause: error,
    });
  }
}

function tryLock(file: Sqlite.Database): boolean {
  try {
    file.exec("begin exclusive");
    return true;
  } catch (error) {
    if (!(error instanceof Sqlite.SqliteError)) throw error;
    if (/^SQLITE_BUSY/.test(error.code)) return false;
    throw translateSqliteFailure(error, { path: file.name, sql: "begin exclusive" });
  }
}
