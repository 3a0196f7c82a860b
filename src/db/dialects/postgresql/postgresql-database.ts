// The Database of PostgreSQL: a ServerDatabase on its connections, locks and dialect.
import type { OpenSettings } from "../../open-options.ts";
import type { PostgresqlUrl } from "../../url.ts";
import { ServerDatabase } from "../server-database.ts";
import { PostgresqlConnection } from "./postgresql-connection.ts";
import { postgresqlDialect } from "./postgresql-dialect.ts";
import { acquirePostgresqlLock } from "./postgresql-lock.ts";

export class PostgresqlDatabase extends ServerDatabase<PostgresqlConnection> {
  constructor(url: PostgresqlUrl, settings: OpenSettings) {
    super(
      {
        dialect: postgresqlDialect,
        open: (statementMsMax) => PostgresqlConnection.open({ url, statementMsMax }),
        acquireLock: (connection, name, waitMsMax) =>
          acquirePostgresqlLock(connection, { name, database: url.database, waitMsMax }),
      },
      settings,
    );
  }
}
