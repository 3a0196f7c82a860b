// Translates what SQLite said in a thread into our errors.
import { type ErrorCode, type Facts, ServiceError } from "../../../core/errors.ts";
import { excerpt } from "../excerpt.ts";
import type { Failure } from "./sqlite-protocol.ts";

/** A statement that fails leaves nothing behind on SQLite, so conflicts are always safe to repeat. */
export function translateSqliteFailure(failure: Failure, context: { path: string; sql: string }): ServiceError {
  const { code, message } = failure;
  const { path, sql } = context;
  const made = (as: ErrorCode, text: string, facts: Facts = {}) =>
    new ServiceError(as, text, { facts: { sqliteCode: code, statement: excerpt(sql), ...facts } });

  if (/^SQLITE_(BUSY|LOCKED|SCHEMA|PROTOCOL)/.test(code))
    return made("db.conflict", `${path} is busy: ${message} (${code})`);
  if (/^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY|ROWID)$/.test(code))
    return made("db.duplicate", message, { key: keyOf(message) });
  if (/^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG)/.test(code)) return made("db.integrity", message);
  // The shared memory of a file that is opened is a file beside it, and wants room first.
  if (/^SQLITE_(FULL|IOERR_SHMSIZE)/.test(code))
    return made("db.full", `${path} has no room left on its disk: ${message} (${code}); make room, and run it again`);
  if (/^SQLITE_(CANTOPEN|NOTADB)/.test(code) || /directory does not exist/.test(message))
    return made("db.unreachable", `${path} cannot be opened as a SQLite database: ${message} (${code})`);
  if (/^SQLITE_(READONLY|PERM|AUTH)/.test(code))
    return made("db.access_denied", `${path} cannot be written: ${message} (${code})`);
  if (/^no such (table|column|index)|has no column named|no query solution/.test(message))
    return made("db.wrong_schema", `${path}: ${message}`);
  return made("db.statement_failed", `${message} (${code})`);
}

/** `UNIQUE constraint failed: images.id` -> `images.id`. */
function keyOf(message: string): string {
  return /constraint failed: (.*)$/.exec(message)?.[1] ?? "";
}
