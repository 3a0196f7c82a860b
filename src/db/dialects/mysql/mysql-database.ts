// The Database of MySQL and MariaDB: a ServerDatabase on their connections, locks and dialect.
import type { OpenSettings } from "../../open-options.ts";
import type { MysqlUrl } from "../../url.ts";
import { ServerDatabase } from "../server-database.ts";
import { MysqlConnection } from "./mysql-connection.ts";
import { mysqlDialect } from "./mysql-dialect.ts";
import { acquireMysqlLock } from "./mysql-lock.ts";

export class MysqlDatabase extends ServerDatabase<MysqlConnection> {
  constructor(url: MysqlUrl, settings: OpenSettings) {
    super(
      {
        dialect: mysqlDialect,
        open: (statementMsMax) => MysqlConnection.open({ url, sqlMode: settings.sqlMode, statementMsMax }),
        acquireLock: (connection, name, waitMsMax) =>
          acquireMysqlLock(connection, { name, database: url.database, waitMsMax }),
      },
      settings,
    );
  }
}
