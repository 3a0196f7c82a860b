// The Database of SQLite: one writing thread and a few reading ones in each process, any number of processes on one file (WAL).
import { resolve } from "node:path";
import { ServiceError } from "../../../core/errors.ts";
import type { AdvisoryLock, Database, Queryable, Row, Session, SqlValue } from "../../database.ts";
import type { OpenSettings } from "../../open-options.ts";
import { isSafeToRead, isSafeToRepeat, withRetry } from "../../retry.ts";
import type { SqliteUrl } from "../../url.ts";
import { runTransaction } from "../transaction.ts";
import { sqliteDialect } from "./sqlite-dialect.ts";
import { acquireSqliteLock } from "./sqlite-lock.ts";
import type { ThreadSettings } from "./sqlite-protocol.ts";
import { SqliteReaders } from "./sqlite-readers.ts";
import { SqliteThread } from "./sqlite-thread.ts";
import { Turnstile } from "./turnstile.ts";

const readersMax = 4;
/** Longer waits for other processes are pauses of the retry wrapper. */
const busyMsMax = 2_000;
/** Schema changes pace themselves. */
const sessionBusyMsMax = 200;

export class SqliteDatabase implements Database {
  readonly dialect = sqliteDialect;
  readonly locationUrls: OpenSettings["locationUrls"];
  readonly #path: string;
  readonly #settings: OpenSettings;
  readonly #readers: SqliteReaders;
  /** SQLite has one writer at a time; ours wait here, the oldest first, before they compete with other processes. */
  readonly #turnstile = new Turnstile();
  #writer: SqliteThread | null = null;
  #closed = false;

  constructor(url: SqliteUrl, settings: OpenSettings) {
    this.#path = resolve(url.path);
    this.#settings = settings;
    this.locationUrls = settings.locationUrls;
    const readers = Math.min(settings.poolSizeMax, readersMax);
    this.#readers = new SqliteReaders(this.#threadSettings("reader"), readers, settings.logger);
  }

  /** Opens what every request needs, and asks once, without retry. */
  async check(): Promise<void> {
    await this.#onWriter((writer) => writer.query("select 1"));
    await (await this.#readers.pick()).query("select 1");
  }

  query<R extends Row = Row>(sql: string, params?: readonly SqlValue[]): Promise<R[]> {
    return withRetry(async () => (await this.#reader()).query<R>(sql, params), {
      policy: this.#settings.retry,
      mayRepeat: isSafeToRead,
      what: "query",
      logger: this.#settings.logger,
    });
  }

  run(sql: string, params?: readonly SqlValue[]): Promise<{ rowsAffected: number }> {
    return this.#write("statement", (writer) => writer.run(sql, params));
  }

  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#write("transaction", (writer) => runTransaction(writer, work));
  }

  async session<T>(work: (session: Session) => Promise<T>): Promise<T> {
    // Opening looks at the file, and may find it busy. What `work` does is its own.
    const thread = await this.#retrying("session", () => SqliteThread.open(this.#threadSettings("session")));
    try {
      return await work(thread);
    } finally {
      await thread.close();
    }
  }

  acquireLock(name: string, waitMsMax: number): Promise<AdvisoryLock> {
    return acquireSqliteLock(this.#path, name, waitMsMax);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#readers.close();
    const leave = await this.#turnstile.enter(this.#settings.poolWaitMsMax);
    await this.#writer?.close();
    leave?.();
  }

  #write<T>(what: string, work: (writer: SqliteThread) => Promise<T>): Promise<T> {
    return this.#retrying(what, () => this.#onWriter(work));
  }

  #retrying<T>(what: string, work: () => Promise<T>): Promise<T> {
    return withRetry(work, {
      policy: this.#settings.retry,
      mayRepeat: isSafeToRepeat,
      what,
      logger: this.#settings.logger,
    });
  }

  async #onWriter<T>(work: (writer: SqliteThread) => Promise<T>): Promise<T> {
    this.#assertOpen();
    const leave = await this.#turnstile.enter(this.#settings.poolWaitMsMax);
    if (!leave) throw new ServiceError("db.unreachable", `${this.#path}: other writes of this process took too long`);
    try {
      this.#assertOpen();
      if (!this.#writer || this.#writer.ended) this.#writer = await SqliteThread.open(this.#threadSettings("writer"));
      return await work(this.#writer);
    } finally {
      leave();
    }
  }

  #reader(): Promise<SqliteThread> {
    this.#assertOpen();
    return this.#readers.pick();
  }

  /** A mistake of ours, not of the database: who still works with it is stopped before it is. */
  #assertOpen(): void {
    if (this.#closed) throw new Error("a statement came after the database was closed");
  }

  #threadSettings(role: ThreadSettings["role"]): ThreadSettings {
    const { sqliteSynchronous } = this.#settings;
    return {
      path: this.#path,
      role,
      busyMsMax: role === "session" ? sessionBusyMsMax : busyMsMax,
      synchronous: sqliteSynchronous,
    };
  }
}
