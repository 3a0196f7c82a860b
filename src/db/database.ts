// The contract of a database: the door of this room for statements. Drivers stand in dialects/<name>/ and translate foreign
// errors into ServiceErrors at their edge. Outside dialects/ no code asks which database it talks to: differences are declared.

export type SqlValue = string | number | bigint | boolean | Uint8Array | null;
export type Row = Record<string, unknown>;

export interface Queryable {
  /** Rows as objects. Placeholders are `?` on every dialect. Times arrive as the text the column holds, UTC. */
  query<R extends Row = Row>(sql: string, params?: readonly SqlValue[]): Promise<R[]>;
  /** For statements that change rows. `rowsAffected` counts matched rows, changed or not (MySQL: FOUND_ROWS). */
  run(sql: string, params?: readonly SqlValue[]): Promise<{ rowsAffected: number }>;
}

/** One connection, held for as long as `work` runs: for DDL, session variables and advisory locks. */
export interface Session extends Queryable {
  /** The server's id of this connection, by which another session can name or interrupt it; null where there is none. */
  readonly connectionId: number | null;
}

export interface Database extends Queryable {
  readonly dialect: Dialect;
  /**
   * Runs `work` in one transaction and commits; rolls back when it throws. The whole of `work` is run again (db.conflict) after a
   * deadlock, a lock wait, a busy database or a table definition that changed under it, so it must touch nothing but `tx`.
   */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  session<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /** Safe to call twice. */
  close(): Promise<void>;
}

/** What differs between databases, declared. */
export type Dialect = {
  readonly name: "mysql" | "sqlite";
  /** DDL takes part in transactions (SQLite), or commits by itself (MySQL). */
  readonly transactionalDdl: boolean;
  /** An expression: the current UTC time in the form datetime columns of this database hold. */
  readonly nowSql: string;
  /** An expression: UTC time `seconds` (a `?`) from now. */
  readonly nowPlusSecondsSql: string;
  /** `2026-11-23T05:54:06Z` -> what a datetime column holds. */
  encodeTime(timestamp: string): string;
  /** The reverse; fractions are cut. */
  decodeTime(text: string): string;
  /** Quotes an identifier. */
  quote(identifier: string): string;
  /** Appended to a SELECT to lock its rows, or empty where a write transaction locks anyway. */
  readonly forUpdate: string;
};
