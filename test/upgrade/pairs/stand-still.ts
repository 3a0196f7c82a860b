// Stops a rollout where it stands, for as long as a test wants to see the fleet between two steps, and not while it keeps others from writing.
import Database from "better-sqlite3";
import type { RolloutProcess } from "../../../demo/rollout-process.ts";
import { parseDatabaseUrl } from "../../../src/db/url.ts";
import { eventually } from "../../servers/eventually.ts";

/** A node's own write takes far less than this. */
const lockMsMax = 2_000;

/**
 * SQLite has one lock for all who write: a process that is stopped in the middle of its transaction keeps it, and every node would wait. The
 * servers' locks are those of rows that only a rollout writes.
 */
export async function standStill(rollout: RolloutProcess, connection: string): Promise<void> {
  const url = parseDatabaseUrl(connection);
  for (;;) {
    rollout.kill("SIGSTOP");
    if (url.dialect !== "sqlite" || (await canWrite(url.path))) return;
    rollout.kill("SIGCONT");
  }
}

async function canWrite(path: string): Promise<boolean> {
  const database = new Database(path, { timeout: 0 });
  try {
    await eventually("the database can be written to", () => database.exec("BEGIN IMMEDIATE; ROLLBACK"), {
      msMax: lockMsMax,
    });
    return true;
  } catch {
    return false;
  } finally {
    database.close();
  }
}
