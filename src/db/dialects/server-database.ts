// The Database of a server, whichever it is: pooled statements with retry, transactions, sessions of their own, named locks. What
// differs (how a connection is opened, how a lock is taken) is given by mysql/ and postgresql/.
import type { AdvisoryLock, Database, Dialect, Queryable, Row, Session, SqlValue } from "../database.ts";
import type { OpenSettings } from "../open-options.ts";
import { isSafeToRead, isSafeToRepeat, withRetry } from "../retry.ts";
import { ConnectionPool, type PoolableConnection } from "./connection-pool.ts";
import { runTransaction, type TransactionConnection } from "./transaction.ts";

export type ServerConnection = Session & TransactionConnection & PoolableConnection;

export type ServerDriver<C extends ServerConnection> = {
  readonly dialect: Dialect;
  /** `statementMsMax`: the longest wait for one answer; null: no limit, for DDL. */
  open(statementMsMax: number | null): Promise<C>;
  /** Takes over `connection`: it ends with the lock. Throws schema.locked. */
  acquireLock(connection: C, name: string, waitMsMax: number): Promise<AdvisoryLock>;
};

/** Pooled statements are the service's; anything that takes longer has its own session. */
const statementMsMax = 60_000;

export class ServerDatabase<C extends ServerConnection> implements Database {
  readonly dialect: Dialect;
  readonly locationUrls: OpenSettings["locationUrls"];
  readonly #driver: ServerDriver<C>;
  readonly #settings: OpenSettings;
  readonly #pool: ConnectionPool<C>;

  constructor(driver: ServerDriver<C>, settings: OpenSettings) {
    this.dialect = driver.dialect;
    this.locationUrls = settings.locationUrls;
    this.#driver = driver;
    this.#settings = settings;
    this.#pool = new ConnectionPool(() => driver.open(statementMsMax), {
      connectionsMax: settings.poolSizeMax,
      idleMax: settings.poolIdleMax,
      waitMsMax: settings.poolWaitMsMax,
      ageMsMax: settings.connectionAgeMsMax,
    });
  }

  /** Asks once, without retry. */
  async check(): Promise<void> {
    await this.#onPooled((connection) => connection.query("select 1"));
  }

  query<R extends Row = Row>(sql: string, params?: readonly SqlValue[]): Promise<R[]> {
    return withRetry(() => this.#onPooled((connection) => connection.query<R>(sql, params)), {
      policy: this.#settings.retry,
      mayRepeat: isSafeToRead,
      what: "query",
      logger: this.#settings.logger,
    });
  }

  run(sql: string, params?: readonly SqlValue[]): Promise<{ rowsAffected: number }> {
    return this.#retrying("statement", () => this.#onPooled((connection) => connection.run(sql, params)));
  }

  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#retrying("transaction", () => this.#onPooled((connection) => runTransaction(connection, work)));
  }

  async session<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const connection = await this.#retrying("session", () => this.#driver.open(null));
    try {
      return await work(connection);
    } finally {
      connection.end();
    }
  }

  async acquireLock(name: string, waitMsMax: number): Promise<AdvisoryLock> {
    // Whatever became of a try, its lock went with its connection. A node of a cluster that has lost the others for a moment says
    // "lock wait timeout" to every statement, to this one too.
    return withRetry(
      async () => this.#driver.acquireLock(await this.#driver.open(waitMsMax + statementMsMax), name, waitMsMax),
      { policy: this.#settings.retry, mayRepeat: isSafeToRead, what: "lock", logger: this.#settings.logger },
    );
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  #retrying<T>(what: string, work: () => Promise<T>): Promise<T> {
    return withRetry(work, {
      policy: this.#settings.retry,
      mayRepeat: isSafeToRepeat,
      what,
      logger: this.#settings.logger,
    });
  }

  async #onPooled<T>(work: (connection: C) => Promise<T>): Promise<T> {
    const connection = await this.#pool.acquire();
    try {
      return await work(connection);
    } finally {
      this.#pool.release(connection);
    }
  }
}
