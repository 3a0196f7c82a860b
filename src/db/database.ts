// The contract of a database: the door of this room for statements. Drivers stand in dialects/<name>/ and translate foreign
// errors into ServiceErrors at their edge. Outside dialects/ no code asks which database it talks to: differences are declared.
import type { LocationUrls } from "./location-urls.ts";

export type SqlValue = string | number | bigint | boolean | Uint8Array | null;
export type Row = Record<string, unknown>;

export interface Queryable {
  /** Rows as objects. Placeholders are `?` on every dialect. Times arrive as the text the column holds, UTC. */
  query<R extends Row = Row>(sql: string, params?: readonly SqlValue[]): Promise<R[]>;
  /** For statements that change rows. `rowsAffected` counts matched rows, changed or not (MySQL: FOUND_ROWS). */
  run(sql: string, params?: readonly SqlValue[]): Promise<{ rowsAffected: number }>;
}

/**
 * One connection, opened for `work` and closed after it: for DDL, session variables, and transactions by hand (`BEGIN` ... `COMMIT`
 * through `run`). Nothing is retried. Two statements at once are carried out one after the other.
 * SQLite: the connection has a thread of its own, may edit `sqlite_schema` (`PRAGMA writable_schema`), waits for other writers for at
 * most 200 ms (then db.conflict), and has foreign keys off.
 */
export interface Session extends Queryable {
  /** The server's id of this connection, by which another session can name or interrupt it; null where there is none. */
  readonly connectionId: number | null;
}

/** A named lock of the whole database, held by a connection: it is free again when its holder dies. */
export interface AdvisoryLock {
  /** Aborts when the connection that holds the lock was lost, and with it the lock. */
  readonly lost: AbortSignal;
  /** Safe to call twice. */
  release(): Promise<void>;
}

export interface Database extends Queryable {
  readonly dialect: Dialect;
  /** How the URLs of locations are kept in it. */
  readonly locationUrls: LocationUrls;
  /**
   * Runs `work` in one transaction and commits; rolls back when it throws. The whole of `work` is run again (db.conflict) after a
   * deadlock, a lock wait, a busy database or a table definition that changed under it, so it must touch nothing but `tx`.
   */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  session<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /** Waits for at most `waitMsMax`; throws schema.locked. Most callers want `withAdvisoryLock` of advisory-lock.ts. */
  acquireLock(name: string, waitMsMax: number): Promise<AdvisoryLock>;
  /** Waits for what is under way. Safe to call twice. */
  close(): Promise<void>;
}

/** A part of a WHERE and its parameters. */
export type SqlCondition = { readonly sql: string; readonly params: readonly SqlValue[] };

/** What differs between databases, declared. */
export type Dialect = {
  readonly name: "mysql" | "sqlite" | "postgresql";
  /** DDL takes part in transactions (SQLite, PostgreSQL), or commits by itself (MySQL). */
  readonly transactionalDdl: boolean;
  /** A failed statement takes its transaction with it (PostgreSQL), or leaves nothing behind but itself: see attempt.ts. */
  readonly failureEndsTransaction: boolean;
  /** An expression: the current UTC time in the form datetime columns of this database hold. */
  readonly nowSql: string;
  /** An expression: UTC time `seconds` (a `?`) from now. */
  readonly nowPlusSecondsSql: string;
  /** An expression: the age of a datetime column in seconds, by the database's clock, with a fraction where the column has one. */
  secondsSinceSql(column: string): string;
  /** `2026-11-23T05:54:06Z` -> what a datetime column holds. */
  encodeTime(timestamp: string): string;
  /** The reverse; fractions are cut. */
  decodeTime(text: string): string;
  /** Quotes an identifier. */
  quote(identifier: string): string;
  /** Appended to a SELECT to lock its rows, or empty where a write transaction locks anyway. */
  readonly forUpdate: string;
  /** Follows a table name in FROM: this index and no other. Fails with db.wrong_schema where it does not exist. */
  useIndex(index: string): string;
  /** Follows a table name in UPDATE: rows are found by their primary key, however small the table is, so that no other row is locked. */
  readonly byPrimaryKey: string;
  /** Follows a column that may be NULL in ORDER BY, by direction: NULL sorts as the lowest value. */
  readonly nullsLowest: { readonly asc: string; readonly desc: string };
  /** Follows a table in FROM: joins `table` as `alias` to it row by row, in this order, whatever the optimizer thinks. */
  orderedJoin(table: string, alias: string, on: string): string;
  /**
   * A condition that an index on `columns` can walk: the row stands before ("<") or behind (">") `values`, compared column by column.
   * No value is NULL.
   */
  beyond(columns: readonly string[], operator: "<" | ">", values: readonly SqlValue[]): SqlCondition;
  /** A SELECT with ORDER BY and LIMIT as one branch of a UNION. */
  unionBranch(select: string): string;
  /** A SELECT of all index names of the tables of this database, as column `name`. */
  readonly indexNamesSql: string;
};
