// Translates what the PostgreSQL driver throws into our errors. Only here are the server's SQLSTATEs known.
import pg from "pg";
import { type ErrorCode, type Facts, ServiceError } from "../../../core/errors.ts";
import { excerpt } from "../excerpt.ts";

/** The server undid the statement or its transaction, or never began it: the same may be tried again. */
const conflictStates: ReadonlySet<string> = new Set([
  "40001", // serialization failure
  "40P01", // deadlock
  "55P03", // lock not available: lock_timeout, NOWAIT
  "26000", // no such prepared statement: somebody discarded ours
]);

/**
 * Raised where two sessions change the same row of the catalogue, or where a prepared statement meets a table that has changed. Their
 * SQLSTATEs are shared with other failures and their texts are translated, so they are known by the function that raises them.
 */
const conflictRoutines: ReadonlySet<string> = new Set([
  "RevalidateCachedQuery", // 0A000 cached plan must not change result type: see isStale
  "simple_heap_update", // XX000 tuple concurrently updated
  "simple_heap_delete", // XX000 tuple concurrently deleted
]);

/** The server ends the connection and says so before it does; a statement under way was undone with its transaction. */
const undoneStates: ReadonlySet<string> = new Set([
  "57P01", // shut down, or terminated by an administrator: the server never acts on it between a commit and its answer
  "57P03", // starting up, shutting down, or in recovery: nothing was begun
  "57P04", // the database was dropped
  "57P05", // idle for too long
  "25P03", // idle in a transaction for too long
  "53300", // too many connections
]);

/** The server or the way to it broke down; a statement under way may have been applied or not. */
const lostStates = /^(08|57P02$|40003$)/;

/** The server is there, but only reads: a standby, or a primary that became one. Another connection may lead to the new primary. */
const readOnlyState = "25006";

/** No room on the disk; the statement was undone with its transaction. */
const fullState = "53100";

/** XX000, and no word of the disk: a new connection writes down what it knows of the catalogue, and is ended where that does not fit. */
const fullRoutines: ReadonlySet<string> = new Set(["write_item", "write_relcache_init_file"]);

/** Wrong user or password, no right to something, no such role. */
const accessStates = /^(28|42501$|0P)/;

/** A relation, another object, or a column exists already; a statement that creates it unless it exists need not hear that. */
const existsStates: ReadonlySet<string> = new Set(["42P07", "42710", "42701"]);
const createsUnless = /\bif not exists\b/i;

/** What a statement names is not there: database, schema, table, column, type or index. */
const schemaStates: ReadonlySet<string> = new Set(["3D000", "3F000", "42P01", "42703", "42704"]);

/** A constraint, a value its column cannot hold, or an exception of a trigger. */
const integrityStates = /^(22|23|44|45|P0001$)/;

/** Not from the server but from the way to it. */
const networkCodes =
  /^(E(CONN|PIPE|TIMEDOUT|NOTFOUND|AI_AGAIN|HOSTUNREACH|NETUNREACH|NOENT|ACCES)|CERT|DEPTH_|UNABLE_|SELF_SIGNED|ERR_TLS|ERR_SSL|ERR_STREAM|ERR_SOCKET)/;

/** What the driver itself says of a connection that is no more. */
const driverTexts =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout expired|The server does not support SSL|There was an error establishing an SSL)/;
const driverPasswordTexts = /^SASL: .*password/;

/** Why a connection was given up by us; `destroy` of a connection makes them. */
export class ConnectionLost extends Error {}

/**
 * `sent`: the statement may have reached the server, so that a lost connection leaves its outcome unknown.
 * `place`: the database's URL without the password.
 */
export function translatePostgresqlError(
  error: unknown,
  context: { sent: boolean; place: string; sql?: string },
): unknown {
  if (!(error instanceof Error)) return error;
  const { place } = context;
  const { code: state, routine, constraint, schema } = serverSide(error);
  const facts: Record<string, string | number> = {};
  if (state !== undefined) facts.sqlState = state;
  if (context.sql !== undefined) facts.statement = excerpt(context.sql);
  const made = (as: ErrorCode, message: string, more: Facts = {}) =>
    new ServiceError(as, message, { facts: { ...facts, ...more }, cause: error });
  const said = `${error.message} (${state ?? codeOf(error) ?? "lost"})`;

  if (state !== undefined && undoneStates.has(state)) return made("db.unreachable", `${place} ended the work: ${said}`);
  if (state === readOnlyState) return made("db.unreachable", `${place} takes no changes now: ${said}`);
  if (isLost(error)) {
    const lost = `the connection to ${place} was lost or could not be made: ${said}`;
    return made("db.unreachable", lost, context.sent ? { outcome: "unknown" } : {});
  }
  if (driverPasswordTexts.test(error.message)) return made("db.access_denied", `${place} refused: ${said}`);
  if (state === undefined) return error;
  // Two sessions that create the same thing at once meet in the catalogue, even where they say IF NOT EXISTS.
  const met =
    (state === "23505" && schema === "pg_catalog") ||
    (existsStates.has(state) && createsUnless.test(context.sql ?? ""));
  if (conflictStates.has(state) || met || (routine !== undefined && conflictRoutines.has(routine)))
    return made("db.conflict", `another statement was in the way: ${said}`);
  if (state === fullState || (routine !== undefined && fullRoutines.has(routine)))
    return made("db.full", `${place} has no room left: ${said}; make room, and run it again`);
  if (accessStates.test(state)) return made("db.access_denied", `${place} refused: ${said}`);
  if (state === "23505") return made("db.duplicate", said, { key: constraint ?? "" });
  if (schemaStates.has(state)) return made("db.wrong_schema", `${place}: ${said}`);
  if (integrityStates.test(state)) return made("db.integrity", said);
  return made("db.statement_failed", said);
}

/** The connection is of no use any more. */
export function isLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = serverSide(error);
  if (code !== undefined) return undoneStates.has(code) || code === readOnlyState || lostStates.test(code);
  return error instanceof ConnectionLost || networkCodes.test(codeOf(error) ?? "") || driverTexts.test(error.message);
}

/** A prepared statement is of no use any more: what it yields has changed under it, or it is gone. */
export function isStale(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, routine } = serverSide(error);
  return code === "26000" || routine === "RevalidateCachedQuery";
}

/** Of a connection that was to be made by TLS if possible: whether to try without it. */
export function refusesTls(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return serverSide(error).code === "28000" || /^The server does not support SSL/.test(error.message);
}

type ServerSide = {
  readonly code?: string | undefined;
  readonly routine?: string | undefined;
  readonly constraint?: string | undefined;
  readonly schema?: string | undefined;
};

/** What the server said; nothing where the error is not its own. */
function serverSide(error: Error): ServerSide {
  return error instanceof pg.DatabaseError ? error : {};
}

function codeOf(error: Error): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}
