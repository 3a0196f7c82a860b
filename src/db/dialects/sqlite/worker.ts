// A thread with one SQLite connection: carries out one statement after the other, so that the event loop of the service never waits
// for a disk or for another process's write. Knows nothing of pools and retries.
import { parentPort, workerData } from "node:worker_threads";
import Sqlite from "better-sqlite3";
import {
  type Failure,
  type Operation,
  openingId,
  type QueryResult,
  type Reply,
  type Request,
  type ThreadSettings,
} from "./sqlite-protocol.ts";

/** Transactions of the service are over in milliseconds, those of a schema change in seconds: for these nobody has to look as often. */
const briefMs = 200;
const briefLookMs = 1;
const longLookMs = 5;
/** Nobody wakes who waits at it. */
const never = new Int32Array(new SharedArrayBuffer(4));
/** Statements kept prepared; the service has far fewer, apart from lists of ids of every length. */
const preparedMax = 400;

type Prepared = { readonly statement: Sqlite.Statement<unknown[]>; readonly columns: readonly string[] | null };

const port = parentPort;
if (!port) throw new TypeError("this file is the body of a worker thread");
const settings: ThreadSettings = workerData;
const prepared = new Map<string, Prepared>();

function open(): Sqlite.Database {
  const db = new Sqlite(settings.path, { timeout: settings.busyMsMax });
  // Changing the journal mode needs the file alone for a moment, and does not always wait for it by itself.
  if (db.pragma("journal_mode", { simple: true }) !== "wal") db.pragma("journal_mode = wal");
  db.pragma(`synchronous = ${settings.synchronous ? "full" : "off"}`);
  // Glance's rows are deleted by marking, and its foreign keys never fire; ours find mistakes early. Schema changes need them off.
  db.pragma(`foreign_keys = ${settings.role === "session" ? "off" : "on"}`);
  if (settings.role === "reader") db.pragma("query_only = on");
  // Lets schema changes edit sqlite_schema, which SQLite documents for what ALTER TABLE lacks.
  if (settings.role === "session") db.unsafeMode(true);
  db.pragma("busy_timeout = 0");
  return db;
}

function prepare(db: Sqlite.Database, sql: string): Prepared {
  const found = prepared.get(sql);
  if (found) return found;
  const statement = db.prepare<unknown[]>(sql);
  if (statement.reader) statement.raw(true);
  const made = { statement, columns: statement.reader ? statement.columns().map((column) => column.name) : null };
  // Pragmas and schema changes act while they are prepared, so a kept one would not act again.
  if (/^\s*(select|insert|update|delete|with|begin|commit)\b/i.test(sql)) {
    if (prepared.size >= preparedMax) prepared.clear();
    prepared.set(sql, made);
  }
  return made;
}

function carryOut(db: Sqlite.Database, [, operation, sql, params]: Request): QueryResult | number | null {
  const simple: Partial<Record<Operation, string>> = { begin: "begin immediate", commit: "commit" };
  if (operation === "rollback") {
    // Some failures have rolled back already.
    if (db.inTransaction) db.exec("rollback");
    return null;
  }
  const { statement, columns } = prepare(db, simple[operation] ?? sql);
  if (operation === "query" && columns) return { columns, rows: statement.all(...params) as unknown[][] };
  if (!columns) return statement.run(...params).changes;
  // A pragma that answers, sent for its effect.
  statement.all(...params);
  return 0;
}

/**
 * Waits for a busy file, as the busy timeout would, but looks often: SQLite's own looks become as rare as each tenth of a second, and whoever looks
 * so seldom at a file that others write to without a pause may find it taken for minutes.
 */
function carryOutOnceFree(db: Sqlite.Database, request: Request): QueryResult | number | null {
  const beganMs = performance.now();
  for (;;) {
    try {
      return carryOut(db, request);
    } catch (error) {
      const waitedMs = performance.now() - beganMs;
      if (!isBusy(error) || waitedMs > settings.busyMsMax) throw error;
      Atomics.wait(never, 0, 0, waitedMs < briefMs ? briefLookMs : longLookMs);
    }
  }
}

/** What SQLite's own wait goes on for; a snapshot that is too old (SQLITE_BUSY_SNAPSHOT) stays so. */
function isBusy(error: unknown): boolean {
  return error instanceof Sqlite.SqliteError && /^SQLITE_BUSY(_RECOVERY)?$/.test(error.code);
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: "UNKNOWN", message: String(error) };
  return { code: "code" in error ? String(error.code) : error.name, message: error.message };
}

const reply = (message: Reply) => port.postMessage(message);

try {
  const db = open();
  port.on("message", (request: Request) => {
    const [id, operation] = request;
    try {
      if (operation === "close") {
        db.close();
        port.close();
      }
      reply([id, null, operation === "close" ? null : carryOutOnceFree(db, request)]);
    } catch (error) {
      reply([id, failureOf(error)]);
    }
  });
  reply([openingId, null, null]);
} catch (error) {
  reply([openingId, failureOf(error)]);
  port.close();
}
