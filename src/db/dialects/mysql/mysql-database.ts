// The Database of MySQL and MariaDB: pooled statements with retry, transactions, sessions of their own, named locks.
import type { AdvisoryLock, Database, Queryable, Row, Session, SqlValue } from "../../database.ts";
import type { OpenSettings } from "../../open-options.ts";
import { isSafeToRead, isSafeToRepeat, withRetry } from "../../retry.ts";
import type { MysqlUrl } from "../../url.ts";
import { runTransaction } from "../transaction.ts";
import { MysqlConnection } from "./mysql-connection.ts";
import { mysqlDialect } from "./mysql-dialect.ts";
import { acquireMysqlLock } from "./mysql-lock.ts";
import { MysqlPool } from "./mysql-pool.ts";

/** Pooled statements are the service's; anything that takes longer has its own session. */
const statementMsMax = 60_000;

export class MysqlDatabase implements Database {
  readonly dialect = mysqlDialect;
  readonly #url: MysqlUrl;
  readonly #settings: OpenSettings;
  readonly #pool: MysqlPool;

  constructor(url: MysqlUrl, settings: OpenSettings) {
    this.#url = url;
    this.#settings = settings;
    this.#pool = new MysqlPool(() => this.#open(statementMsMax), {
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
    const connection = await this.#retrying("session", () => this.#open(null));
    try {
      return await work(connection);
    } finally {
      connection.end();
    }
  }

  async acquireLock(name: string, waitMsMax: number): Promise<AdvisoryLock> {
    const connection = await this.#retrying("lock", () => this.#open(waitMsMax + statementMsMax));
    return acquireMysqlLock(connection, { name, database: this.#url.database, waitMsMax });
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

  #open(msMax: number | null): Promise<MysqlConnection> {
    return MysqlConnection.open({ url: this.#url, sqlMode: this.#settings.sqlMode, statementMsMax: msMax });
  }

  async #onPooled<T>(work: (connection: MysqlConnection) => Promise<T>): Promise<T> {
    const connection = await this.#pool.acquire();
    try {
      return await work(connection);
    } finally {
      this.#pool.release(connection);
    }
  }
}
