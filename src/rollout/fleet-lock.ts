// One rollout of a fleet at a time: a lock file in the journal's folder. Node has no file locks of its own; SQLite's are the operating
// system's, which frees them when the process dies, however it dies. So there is never a stale lock to be judged.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { errorText, ServiceError } from "../core/errors.ts";

/** Locks of this process. A connection nobody refers to is closed by the garbage collector, and its lock would go with it. */
const heldLocks = new Set<Sqlite.Database>();

export type FleetLock = {
  /** Safe to call twice. */
  release(): void;
};

/** Throws schema.locked, naming the holder, where another rollout of this fleet is under way. */
export function acquireFleetLock(journalFolder: string, fleet: string): FleetLock {
  const path = join(journalFolder, `${fleet}.lock`);
  const holderFile = `${path}.holder`;
  let file: Sqlite.Database | undefined;
  try {
    mkdirSync(journalFolder, { recursive: true });
    file = new Sqlite(path, { timeout: 0 });
    file.exec("BEGIN EXCLUSIVE");
    writeFileSync(holderFile, `process ${process.pid}, since ${new Date().toISOString()}\n`);
  } catch (error) {
    file?.close();
    if (error instanceof Sqlite.SqliteError && error.code.startsWith("SQLITE_BUSY")) {
      const message = `another rollout of ${fleet} is under way (${readHolder(holderFile)}); follow it with glance-rollout status`;
      throw new ServiceError("schema.locked", message, { facts: { fleet } });
    }
    throw new ServiceError("rollout.fleet_invalid", `the lock file ${path} cannot be used: ${errorText(error)}`, {
      facts: { path },
      cause: error,
    });
  }
  const held = file;
  heldLocks.add(held);
  return {
    release() {
      heldLocks.delete(held);
      held.close();
    },
  };
}

function readHolder(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    // It has the lock, and has not yet said who it is.
    return "it has just begun";
  }
}
