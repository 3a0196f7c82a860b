// One connection to PostgreSQL: opened with our session settings, spoken to by promises, its errors translated.
import { Socket } from "node:net";
import { userInfo } from "node:os";
import pg from "pg";
import { ServiceError } from "../../../core/errors.ts";
import type { Row, Session, SqlValue } from "../../database.ts";
import type { PostgresqlUrl } from "../../url.ts";
import type { PoolableConnection } from "../connection-pool.ts";
import type { TransactionConnection } from "../transaction.ts";
import { ConnectionLost, isLost, isStale, refusesTls, translatePostgresqlError } from "./postgresql-errors.ts";
import { statementOf } from "./postgresql-statements.ts";
import { type TlsOptions, tlsOptionsOf } from "./postgresql-tls.ts";
import { postgresqlTypes } from "./postgresql-values.ts";

export type PostgresqlConnectionSettings = {
  readonly url: PostgresqlUrl;
  /** The longest wait for one answer; null: no limit, for DDL. */
  readonly statementMsMax: number | null;
};

/** A lock wait of an ordinary statement ends after this; the retry wrapper then decides. The server's own default is to wait for ever. */
const lockWaitMs = 10_000;
const pingMsMax = 5_000;
const keepAliveMs = 30_000;
/** The server ends a statement that takes too long, and tells so; only where it does not, we leave. */
const leaveAfterMs = 5_000;

type Result = pg.QueryResult<Row>;

export class PostgresqlConnection implements Session, TransactionConnection, PoolableConnection {
  readonly connectionId: number;
  readonly openedMs: number = performance.now();
  /** When it was last given back, by the pool. */
  idleSinceMs: number = performance.now();
  /** Aborts when the connection is of no use any more, and when it is closed. */
  readonly gone: AbortSignal;
  readonly #gone = new AbortController();
  readonly #client: pg.Client;
  readonly #socket: Socket;
  readonly #settings: PostgresqlConnectionSettings;
  /** The statement under way, and those that wait for their turn behind it: the driver takes one at a time. */
  #last: Promise<unknown> | null = null;
  /** Part of the names of prepared statements. */
  #generation = 1;
  /** Fails the statement under way. */
  #fail: ((error: Error) => void) | null = null;

  private constructor(client: pg.Client, socket: Socket, connectionId: number, settings: PostgresqlConnectionSettings) {
    this.#client = client;
    this.#socket = socket;
    this.#settings = settings;
    this.connectionId = connectionId;
    this.gone = this.#gone.signal;
    // Come when the server closes the connection, or went; a statement under way fails by that, and none is sent any more.
    client.on("error", (error) => this.destroy(error));
    client.on("end", () => this.destroy());
  }

  /** Throws db.unreachable, db.access_denied, db.wrong_schema (no such database), config.invalid (a PEM file). */
  static async open(settings: PostgresqlConnectionSettings): Promise<PostgresqlConnection> {
    const { url } = settings;
    const tls = tlsOptionsOf(url);
    try {
      return await PostgresqlConnection.#openBy(tls, settings).catch((error) => {
        if (url.tls !== "prefer" || tls === false || !refusesTls(error)) throw error;
        return PostgresqlConnection.#openBy(false, settings);
      });
    } catch (error) {
      const translated = translatePostgresqlError(error, { sent: false, place: url.display });
      if (translated instanceof ServiceError || !(error instanceof Error)) throw translated;
      // Whatever else keeps a connection from being made is between us and the server.
      throw translatePostgresqlError(new ConnectionLost(error.message, { cause: error }), {
        sent: false,
        place: url.display,
      });
    }
  }

  static async #openBy(tls: TlsOptions, settings: PostgresqlConnectionSettings): Promise<PostgresqlConnection> {
    const socket = new Socket().setKeepAlive(true, keepAliveMs);
    const client = new pg.Client({ ...optionsOf(settings.url), stream: () => socket, ssl: tls });
    // Until the constructor takes over; connect() reports the failure.
    client.on("error", () => undefined);
    try {
      await client.connect();
      const [id] = await prepareSession(client, settings.statementMsMax);
      return new PostgresqlConnection(client, socket, id ?? 0, settings);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  async query<R extends Row = Row>(sql: string, params?: readonly SqlValue[]): Promise<R[]> {
    return (await this.#send(sql, params)).rows as R[];
  }

  async run(sql: string, params?: readonly SqlValue[]): Promise<{ rowsAffected: number }> {
    return { rowsAffected: (await this.#send(sql, params)).rowCount ?? 0 };
  }

  async begin(): Promise<void> {
    await this.run("begin");
  }

  /** A transaction in which a statement failed is rolled back by COMMIT, and the server calls that a success. */
  async commit(): Promise<void> {
    const { command } = await this.#send("commit");
    if (command === "ROLLBACK")
      throw new ServiceError(
        "db.statement_failed",
        "the transaction was rolled back instead of committed: one of its statements had failed",
      );
  }

  async rollback(): Promise<void> {
    if (!this.gone.aborted) await this.run("rollback").catch(() => this.destroy());
  }

  /** One statement after the other. */
  #send(sql: string, params?: readonly SqlValue[]): Promise<Result> {
    const before = this.#last;
    const sent = before === null ? this.#sendNow(sql, params) : before.then(() => this.#sendNow(sql, params));
    const settled: Promise<void> = sent.then(
      () => undefined,
      () => undefined,
    );
    this.#last = settled;
    void settled.then(() => {
      if (this.#last === settled) this.#last = null;
    });
    return sent;
  }

  #sendNow(sql: string, params: readonly SqlValue[] = []): Promise<Result> {
    return new Promise((resolve, reject) => {
      const { statementMsMax, url } = this.#settings;
      if (this.gone.aborted)
        return reject(new ServiceError("db.unreachable", `the connection to ${url.display} is closed`));
      const settle = () => {
        clearTimeout(timer);
        this.#fail = null;
      };
      const fail = (error: Error) => {
        settle();
        reject(translatePostgresqlError(error, { sent: true, place: url.display, sql }));
      };
      const timer =
        statementMsMax === null
          ? undefined
          : setTimeout(
              () => this.destroy(new ConnectionLost("the server did not answer in time")),
              statementMsMax + leaveAfterMs,
            );
      this.#fail = fail;
      const done = (error: Error | null, result: Result | Result[]) => {
        // Given up already.
        if (this.#fail !== fail) return;
        if (error) {
          // What was prepared fails for ever on this connection; under new names it is prepared anew.
          if (isStale(error)) this.#generation++;
          fail(error);
          if (isLost(error)) this.destroy();
          return;
        }
        settle();
        const last = Array.isArray(result) ? result.at(-1) : result;
        if (last) resolve(last);
      };
      // Without values the text goes as it is, and may hold several statements.
      if (params.length === 0) this.#client.query(sql, [], done);
      else {
        const { text, name } = statementOf(sql);
        const named = name === null ? {} : { name: `${name}_${this.#generation}` };
        this.#client.query({ text, values: params as SqlValue[], ...named }, done);
      }
    });
  }

  /** True where the server answers in time; otherwise the connection is destroyed. */
  async isAlive(): Promise<boolean> {
    const answer = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => answer.resolve(false), pingMsMax);
    this.#send("select 1").then(
      () => answer.resolve(true),
      () => answer.resolve(false),
    );
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
    void this.#client.end().then(() => {
      clearTimeout(timer);
      this.#socket.destroy();
    });
  }

  destroy(why: Error = new ConnectionLost("the server closed the connection")): void {
    this.#gone.abort();
    this.#socket.destroy();
    this.#fail?.(why);
  }
}

/** All in one trip. Returns the server's id of the connection. */
async function prepareSession(client: pg.Client, statementMsMax: number | null): Promise<readonly number[]> {
  const results = (await client.query(
    `set timezone = 'UTC'; set client_encoding = 'UTF8'; set datestyle = 'ISO'; set standard_conforming_strings = on;
     set default_transaction_isolation = 'read committed'; set lock_timeout = ${lockWaitMs};
     set statement_timeout = ${statementMsMax ?? 0}; select pg_backend_pid() as id`,
  )) as unknown as readonly pg.QueryResult<{ id: number }>[];
  return (results.at(-1)?.rows ?? []).map(({ id }) => id);
}

function optionsOf(url: PostgresqlUrl): pg.ClientConfig {
  return {
    user: url.user === "" ? (process.env.PGUSER ?? userInfo().username) : url.user,
    // Without one the driver looks where libpq does: PGPASSWORD, ~/.pgpass.
    ...(url.password === null ? {} : { password: url.password }),
    host: url.host,
    port: url.port,
    database: url.database,
    connectionTimeoutMillis: url.connectTimeoutMs,
    types: postgresqlTypes,
    fallback_application_name: "perennial",
    ...(url.applicationName === null ? {} : { application_name: url.applicationName }),
    ...(url.options === null ? {} : { options: url.options }),
  };
}
