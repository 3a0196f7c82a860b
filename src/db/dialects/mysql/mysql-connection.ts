// One connection to MySQL or MariaDB: opened with our session settings, spoken to by promises, its errors translated.
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import {
  type Connection,
  type ConnectionOptions,
  createConnection,
  type ResultSetHeader,
  type RowDataPacket,
} from "mysql2";
import { errorText, ServiceError } from "../../../core/errors.ts";
import type { Row, Session, SqlValue } from "../../database.ts";
import type { MysqlTls, MysqlUrl } from "../../url.ts";
import type { TransactionConnection } from "../transaction.ts";
import { isLost, type MysqlError, translateMysqlError } from "./mysql-errors.ts";

export type MysqlConnectionSettings = {
  readonly url: MysqlUrl;
  /** Empty: the server's own. */
  readonly sqlMode: string;
  /** The longest wait for one answer; null: no limit, for DDL. */
  readonly statementMsMax: number | null;
};

/** A lock wait of an ordinary statement ends after this; the retry wrapper then decides. The server's defaults are 50 s, and a day for DDL. */
const lockWaitSeconds = 10;
const pingMsMax = 5_000;
const keepAliveMs = 30_000;
const noAnswer = "the server did not answer in time";
const unknownVariable = 1193;

export class MysqlConnection implements Session, TransactionConnection {
  readonly connectionId: number;
  readonly openedMs: number = performance.now();
  /** When it was last given back, by the pool. */
  idleSinceMs: number = performance.now();
  /** Aborts when the connection is of no use any more, and when it is closed. */
  readonly gone: AbortSignal;
  readonly #gone = new AbortController();
  readonly #connection: Connection;
  readonly #socket: Socket;
  readonly #settings: MysqlConnectionSettings;
  /** Statements whose answer is awaited. The driver forgets them when its connection is destroyed. */
  readonly #awaited = new Set<(error: MysqlError) => void>();

  private constructor(connection: Connection, socket: Socket, settings: MysqlConnectionSettings) {
    this.#connection = connection;
    this.#socket = socket;
    this.#settings = settings;
    this.connectionId = connection.threadId ?? 0;
    this.gone = this.#gone.signal;
    // Come when the server closes the connection, or went; a statement under way fails by that, and none is sent any more.
    connection.on("error", () => this.destroy());
    connection.on("end", () => this.destroy());
  }

  static async open(settings: MysqlConnectionSettings): Promise<MysqlConnection> {
    const { url } = settings;
    const options = optionsOf(url);
    const socket = url.socketPath === null ? connect(url.port, url.host) : connect(url.socketPath);
    socket.setNoDelay(true).setKeepAlive(true, keepAliveMs);
    const raw = createConnection({ ...options, stream: socket });
    const opened = Promise.withResolvers<void>();
    raw.connect((error) => (error ? opened.reject(error) : opened.resolve()));
    // Until the constructor takes over; connect() reports the failure.
    raw.on("error", opened.reject);
    try {
      await opened.promise;
    } catch (error) {
      socket.destroy();
      throw translateMysqlError(error, { sent: false, place: url.display });
    }
    const connection = new MysqlConnection(raw, socket, settings);
    try {
      await connection.#prepareSession();
    } catch (error) {
      connection.destroy();
      throw error;
    }
    return connection;
  }

  async #prepareSession(): Promise<void> {
    const mode = this.#settings.sqlMode === "" ? "" : "sql_mode = ?, ";
    await this.run(
      `SET ${mode}time_zone = '+00:00', autocommit = 1, lock_wait_timeout = ${lockWaitSeconds}, innodb_lock_wait_timeout = ${lockWaitSeconds}`,
      mode === "" ? [] : [this.#settings.sqlMode],
    );
    // Lists of 25 and more ids: the server would look into the index once per id and per index to estimate rows, a third of the cost of a list page.
    await this.run("SET eq_range_index_dive_limit = 1").catch((error) => {
      if (!(error instanceof ServiceError) || error.facts.errno !== unknownVariable) throw error;
    });
  }

  query<R extends Row = Row>(sql: string, params?: readonly SqlValue[]): Promise<R[]> {
    return this.#send<R[]>(sql, params);
  }

  async run(sql: string, params?: readonly SqlValue[]): Promise<{ rowsAffected: number }> {
    const { affectedRows } = await this.#send<ResultSetHeader>(sql, params);
    return { rowsAffected: affectedRows ?? 0 };
  }

  async begin(): Promise<void> {
    await this.run("begin");
  }

  async commit(): Promise<void> {
    await this.run("commit");
  }

  async rollback(): Promise<void> {
    if (!this.gone.aborted) await this.run("rollback").catch(() => this.destroy());
  }

  #send<T>(sql: string, params: readonly SqlValue[] | undefined): Promise<T> {
    return new Promise((resolve, fail) => {
      const { statementMsMax, url } = this.#settings;
      if (this.#gone.signal.aborted)
        return fail(new ServiceError("db.unreachable", `the connection to ${url.display} is closed`));
      const settle = () => {
        this.#awaited.delete(reject);
        clearTimeout(timer);
      };
      const reject = (error: MysqlError) => {
        settle();
        fail(translateMysqlError(error, { sent: wasSent(error), place: url.display, sql }));
      };
      // The driver's own time limit leaves the connection in use, and its timer behind.
      const timer = statementMsMax === null ? undefined : setTimeout(() => this.destroy(noAnswer), statementMsMax);
      this.#awaited.add(reject);
      const options = params && params.length > 0 ? { sql, values: params as SqlValue[] } : { sql };
      this.#connection.query<RowDataPacket[]>(options, (error, result) => {
        if (error) {
          reject(error);
          if (isLost(error)) this.destroy();
          return;
        }
        settle();
        resolve(result as unknown as T);
      });
    });
  }

  /** True where the server answers in time; otherwise the connection is destroyed. */
  async isAlive(): Promise<boolean> {
    const answer = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => answer.resolve(false), pingMsMax);
    this.#connection.ping((error) => answer.resolve(!error));
    const alive = (await answer.promise) && !this.gone.aborted;
    clearTimeout(timer);
    if (!alive) this.destroy();
    return alive;
  }

  /** Parts from the server politely, without waiting for it. */
  end(): void {
    if (this.gone.aborted) return;
    this.#gone.abort();
    const timer = setTimeout(() => this.#socket.destroy(), pingMsMax);
    this.#connection.end(() => {
      clearTimeout(timer);
      this.#socket.destroy();
    });
  }

  destroy(why = "the server closed the connection"): void {
    this.#gone.abort();
    this.#connection.destroy();
    this.#socket.destroy();
    const lost: MysqlError = Object.assign(new Error(why), { fatal: true });
    for (const reject of this.#awaited) reject(lost);
  }
}

/** The driver refuses statements on a connection it knows to be closed before it writes them. */
function wasSent(error: MysqlError): boolean {
  return !/closed state/.test(error.message);
}

function optionsOf(url: MysqlUrl): ConnectionOptions {
  return {
    // For the certificate's name; the socket is ours.
    host: url.host,
    user: url.user,
    password: url.password,
    database: url.database,
    connectTimeout: url.connectTimeoutMs,
    charset: "UTF8MB4_GENERAL_CI",
    dateStrings: true,
    supportBigNumbers: true,
    stringifyObjects: true,
    flags: ["FOUND_ROWS", "-LOCAL_FILES"],
    ...(url.tls === null ? {} : { ssl: tlsOf(url.tls) }),
  };
}

function tlsOf(tls: MysqlTls): NonNullable<ConnectionOptions["ssl"]> {
  return {
    ...(tls.caPath === null ? {} : { ca: readPem("ssl_ca", tls.caPath) }),
    ...(tls.certPath === null ? {} : { cert: readPem("ssl_cert", tls.certPath) }),
    ...(tls.keyPath === null ? {} : { key: readPem("ssl_key", tls.keyPath) }),
    ...(tls.cipher === null ? {} : { ciphers: tls.cipher }),
    rejectUnauthorized: tls.verify,
    verifyIdentity: tls.verify,
  };
}

function readPem(parameter: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const message = `[database] connection: ${parameter} cannot be read: ${errorText(error)}`;
    throw new ServiceError("config.invalid", message, {
      facts: { section: "database", option: "connection" },
      cause: error,
    });
  }
}
