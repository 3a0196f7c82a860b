// The process's side of a SQLite thread: statements as promises, failures translated, the end of the thread noticed.

import { Worker } from "node:worker_threads";
import { errorText, ServiceError } from "../../../core/errors.ts";
import { ownModule } from "../../../core/package-files.ts";
import type { Row, Session, SqlValue } from "../../database.ts";
import type { TransactionConnection } from "../transaction.ts";
import { translateSqliteFailure } from "./sqlite-errors.ts";
import {
  type Operation,
  openingId,
  type QueryResult,
  type Reply,
  type Request,
  type ThreadSettings,
} from "./sqlite-protocol.ts";

type Pending = {
  readonly sql: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
};

export class SqliteThread implements Session, TransactionConnection {
  readonly connectionId = null;
  readonly #settings: ThreadSettings;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #exited = Promise.withResolvers<void>();
  #lastId = openingId;
  #ended: ServiceError | null = null;

  private constructor(settings: ThreadSettings) {
    this.#settings = settings;
    this.#worker = new Worker(ownModule("db/dialects/sqlite/worker"), { workerData: settings });
    this.#worker.on("message", (reply: Reply) => this.#receive(reply));
    this.#worker.on("error", (error) => this.#end(`the thread of ${settings.path} failed: ${errorText(error)}`));
    this.#worker.on("exit", () => {
      this.#end(`the thread of ${settings.path} has ended`);
      this.#exited.resolve();
    });
  }

  /** Throws db.unreachable where the file cannot be opened, db.conflict where it stays busy. */
  static async open(settings: ThreadSettings): Promise<SqliteThread> {
    const thread = new SqliteThread(settings);
    await new Promise((resolve, reject) => thread.#pending.set(openingId, { sql: "open", resolve, reject }));
    return thread;
  }

  /** Statements sent and not answered. */
  get load(): number {
    return this.#pending.size;
  }

  get ended(): boolean {
    return this.#ended !== null;
  }

  async query<R extends Row = Row>(sql: string, params: readonly SqlValue[] = []): Promise<R[]> {
    const result = (await this.#send("query", sql, params)) as QueryResult | number;
    return typeof result === "number" ? [] : (rowsOf(result) as R[]);
  }

  async run(sql: string, params: readonly SqlValue[] = []): Promise<{ rowsAffected: number }> {
    return { rowsAffected: (await this.#send("run", sql, params)) as number };
  }

  async begin(): Promise<void> {
    await this.#send("begin", "", []);
  }

  async commit(): Promise<void> {
    await this.#send("commit", "", []);
  }

  async rollback(): Promise<void> {
    // A connection that cannot roll back is closed with its thread, and that rolls back.
    await this.#send("rollback", "", []).catch(() => this.#worker.terminate());
  }

  /** Resolves when the thread is gone, after the statements sent before. Safe to call twice. */
  async close(): Promise<void> {
    // Closing fails where the database could not be opened, or the thread is gone: then there is nothing left to close.
    await this.#send("close", "", []).catch(() => this.#worker.terminate());
    await this.#exited.promise;
  }

  #send(operation: Operation, sql: string, params: readonly SqlValue[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      const id = ++this.#lastId;
      this.#pending.set(id, { sql: sql || operation, resolve, reject });
      const request: Request = [id, operation, sql, params.some(isBoolean) ? params.map(withoutBoolean) : params];
      this.#worker.postMessage(request);
    });
  }

  #receive([id, failure, result]: Reply): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (!pending) return;
    const { path } = this.#settings;
    if (failure) pending.reject(translateSqliteFailure(failure, { path, sql: pending.sql }));
    else pending.resolve(result);
  }

  #end(why: string): void {
    // What was under way may have been committed; the wrapper above decides what may be repeated.
    this.#ended ??= new ServiceError("db.unreachable", why, { facts: { outcome: "unknown" } });
    for (const { reject } of this.#pending.values()) reject(this.#ended);
    this.#pending.clear();
  }
}

const isBoolean = (value: SqlValue) => typeof value === "boolean";
/** SQLite has no booleans, and the driver refuses them. */
const withoutBoolean = (value: SqlValue) => (typeof value === "boolean" ? Number(value) : value);

function rowsOf({ columns, rows }: QueryResult): Row[] {
  return rows.map((values) => {
    const row: Row = {};
    for (let at = 0; at < columns.length; at++) row[columns[at] as string] = values[at];
    return row;
  });
}
