// Opens a database from its URL: the one place of this room where a driver is chosen.
import type { Config } from "../core/config.ts";
import { isServiceError, ServiceError } from "../core/errors.ts";
import { databaseOptions, locationOptions } from "./config.ts";
import type { Database } from "./database.ts";
import { encryptedLocations, plainLocations } from "./location-urls.ts";
import { type OpenOptions, type OpenSettings, withDefaults } from "./open-options.ts";
import { isSafeToRepeat, withRetry } from "./retry.ts";
import { type DatabaseUrl, parseDatabaseUrl } from "./url.ts";

/** Opens and asks the database once. Throws config.invalid, db.unreachable, db.access_denied, db.wrong_schema (no such database). */
export async function openDatabase(url: string, options: OpenOptions = {}): Promise<Database> {
  return openParsedDatabase(parseDatabaseUrl(url), options);
}

/** The same of a URL that was read already. */
export async function openParsedDatabase(parsed: DatabaseUrl, options: OpenOptions = {}): Promise<Database> {
  const settings = withDefaults(options);
  for (const name of parsed.ignored)
    settings.logger?.warn(`[database] connection: parameter ${name} is not known and has no effect`);
  const db = await driverFor(parsed, settings);
  const { connectAttemptsMax, connectPauseMs } = settings;
  try {
    await withRetry(() => checkOnce(db, settings), {
      policy: {
        attemptsMax: connectAttemptsMax,
        totalMsMax: Number.POSITIVE_INFINITY,
        pauseMsMin: connectPauseMs,
        pauseMsMax: connectPauseMs,
      },
      mayRepeat: isSafeToRepeat,
      what: `reaching ${parsed.display}`,
      logger: settings.logger,
      random: () => 1,
    });
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}

/** Only the driver in use is loaded: the others' libraries are a third of what a command reads to start. */
async function driverFor(url: DatabaseUrl, settings: OpenSettings): Promise<Database & { check(): Promise<void> }> {
  switch (url.dialect) {
    case "mysql":
      return new (await import("./dialects/mysql/mysql-database.ts")).MysqlDatabase(url, settings);
    case "postgresql":
      return new (await import("./dialects/postgresql/postgresql-database.ts")).PostgresqlDatabase(url, settings);
    case "sqlite":
      return new (await import("./dialects/sqlite/sqlite-database.ts")).SqliteDatabase(url, settings);
  }
}

/** A SQLite file may be busy while another process opens it as the first, or closes it as the last. */
function checkOnce(db: { check(): Promise<void> }, { retry, logger }: OpenSettings): Promise<void> {
  return withRetry(() => db.check(), {
    policy: retry,
    mayRepeat: (error) => isServiceError(error, "db.conflict"),
    what: "opening",
    logger,
  });
}

/** What glance-api.conf says, for openDatabase. Throws config.invalid where no connection is given, or the key of locations is none. */
export function readDatabaseConfig(config: Config): { readonly url: string; readonly options: OpenOptions } {
  const values = config.read(databaseOptions);
  if (values.connection === null || values.connection === "")
    throw new ServiceError(
      "config.invalid",
      "[database] connection is not set: give the URL of the database, e.g. mysql://glance:password@host/glance",
      {
        facts: { section: "database", option: "connection" },
      },
    );
  const { metadata_encryption_key: key } = config.read(locationOptions);
  return {
    url: values.connection,
    options: {
      locationUrls: key ? encryptedLocations(key) : plainLocations,
      poolSizeMax: values.max_pool_size + values.max_overflow,
      poolIdleMax: values.max_pool_size,
      poolWaitMsMax: values.pool_timeout * 1_000,
      connectionAgeMsMax: values.connection_recycle_time < 0 ? null : values.connection_recycle_time * 1_000,
      sqlMode: values.mysql_sql_mode,
      sqliteSynchronous: values.sqlite_synchronous,
      connectAttemptsMax: values.max_retries < 0 ? Number.POSITIVE_INFINITY : values.max_retries + 1,
      connectPauseMs: values.retry_interval * 1_000,
    },
  };
}
