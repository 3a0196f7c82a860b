// Translates what the MySQL driver throws into our errors. Only here are the server's error numbers known.
import { type ErrorCode, type Facts, ServiceError } from "../../../core/errors.ts";
import { excerpt } from "../excerpt.ts";

/** What the driver's errors carry, as far as we look. */
export type MysqlError = Error & {
  code?: string;
  errno?: number;
  sqlState?: string;
  sqlMessage?: string;
  fatal?: boolean;
};

/** The server undid the statement or never began it: the same may be tried again. */
const conflictErrnos: ReadonlySet<number> = new Set([
  1020, // record changed since last read (snapshot isolation, MariaDB 11.6+)
  1205, // lock wait timeout, of rows and of metadata
  1213, // deadlock; Galera: certification failed
  1412, // table definition has changed, retry transaction
  1615, // prepared statement needs to be re-prepared
]);

/** The server is there, but takes no statements now; none was begun. */
const unavailableErrnos: ReadonlySet<number> = new Set([
  1040, // too many connections
  1047, // Galera: the node is not part of the cluster
  1129, // host is blocked because of many connection errors
  1203, // user has too many connections
  1226, // user has used up an hourly limit
  1836, // read-only mode
]);

/** The server ends this connection; a statement under way may have been applied or not. */
const lostErrnos: ReadonlySet<number> = new Set([
  1053, 1077, 1078, 1079, 1152, 1153, 1158, 1159, 1160, 1161, 1184, 1927, 4031,
]);

const accessErrnos: ReadonlySet<number> = new Set([
  1044, 1045, 1095, 1130, 1142, 1143, 1227, 1251, 1370, 1410, 1418, 1419, 1524, 1698, 3118, 3159,
]);

/** No room: on the disk, in the tablespace, or in the space of a temporary table. The statement was undone. */
const fullErrnos: ReadonlySet<number> = new Set([
  1021, // disk full
  1114, // the table is full, which InnoDB says of its tablespace
  3019, // the undo log cannot grow
]);
/** Files that cannot be written, created or renamed, and whatever a storage engine says in numbers of its own: ENOSPC, EDQUOT. */
const fileErrnos: ReadonlySet<number> = new Set([3, 1004, 1005, 1025, 1026, 1030, 1878]);
const saysFull = /No space left on device|Disk quota exceeded|\berr(no|or|code)\W{0,3}(28|122)\b/i;

/** What a statement names is not there: database, column, table, index. */
const schemaErrnos: ReadonlySet<number> = new Set([1049, 1054, 1146, 1176]);

const integrityErrnos: ReadonlySet<number> = new Set([
  1048, 1216, 1217, 1264, 1265, 1292, 1364, 1366, 1406, 1451, 1452, 1644, 3819, 4025,
]);

/** Not from the server but from the way to it. */
const networkCodes =
  /^(E(CONN|PIPE|TIMEDOUT|NOTFOUND|AI_AGAIN|HOSTUNREACH|NETUNREACH|NOENT|ACCES)|PROTOCOL_|HANDSHAKE_|CERT|DEPTH_|UNABLE_|SELF_SIGNED|ERR_)/;

/**
 * `sent`: the statement may have reached the server, so that a lost connection leaves its outcome unknown.
 * `place`: the database's URL without the password.
 */
export function translateMysqlError(error: unknown, context: { sent: boolean; place: string; sql?: string }): unknown {
  if (!(error instanceof Error)) return error;
  const { errno, code, sqlState, sqlMessage } = error as MysqlError;
  const facts: Record<string, string | number> = {};
  if (typeof errno === "number") facts.errno = errno;
  if (sqlState) facts.sqlState = sqlState;
  if (context.sql !== undefined) facts.statement = excerpt(context.sql);
  const made = (as: ErrorCode, message: string, more: Facts = {}) =>
    new ServiceError(as, message, { facts: { ...facts, ...more }, cause: error });
  const said = `${sqlMessage ?? error.message} (${sqlMessage === undefined ? (code ?? "lost") : `error ${errno}`})`;

  if (isLost(error)) {
    const lost = `the connection to ${context.place} was lost or could not be made: ${said}`;
    return made("db.unreachable", lost, context.sent ? { outcome: "unknown" } : {});
  }
  if (errno === undefined) return error;
  if (conflictErrnos.has(errno)) return made("db.conflict", `another statement was in the way: ${said}`);
  // 1290 has other causes too; a primary that became a replica is the one that passes.
  if (unavailableErrnos.has(errno) || (errno === 1290 && /read-only/.test(error.message)))
    return made("db.unreachable", `${context.place} takes no statements now: ${said}`);
  if (fullErrnos.has(errno) || (fileErrnos.has(errno) && saysFull.test(error.message)))
    return made("db.full", `${context.place} has no room left: ${said}; make room, and run it again`);
  if (accessErrnos.has(errno)) return made("db.access_denied", `${context.place} refused: ${said}`);
  if (errno === 1062 || errno === 1586) return made("db.duplicate", said, { key: keyOf(error.message) });
  if (schemaErrnos.has(errno)) return made("db.wrong_schema", `${context.place}: ${said}`);
  if (integrityErrnos.has(errno)) return made("db.integrity", said);
  return made("db.statement_failed", said);
}

/** The connection is of no use any more. */
export function isLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { errno, code, sqlMessage, fatal } = error as MysqlError;
  if (sqlMessage !== undefined) return errno !== undefined && lostErrnos.has(errno);
  return fatal === true || networkCodes.test(code ?? "");
}

/** MySQL 8 says `images.PRIMARY` where MariaDB says `PRIMARY`. */
function keyOf(message: string): string {
  return /for key '(?:[^'.]*\.)?([^']*)'/.exec(message)?.[1] ?? "";
}
