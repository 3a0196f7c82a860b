// The one place of the backup where a kind of database is chosen.
import type { Database } from "../database.ts";
import type { DatabaseUrl } from "../url.ts";
import type { DatabaseCopy } from "./database-copy.ts";
import { createMysqlCopy } from "./mysql/mysql-copy.ts";
import { createPostgresqlCopy } from "./postgresql/postgresql-copy.ts";
import { createSqliteCopy } from "./sqlite/sqlite-copy.ts";

export function createCopy(db: Database, url: DatabaseUrl): DatabaseCopy {
  switch (url.dialect) {
    case "mysql":
      return createMysqlCopy({ db, url });
    case "postgresql":
      return createPostgresqlCopy({ db, url });
    case "sqlite":
      return createSqliteCopy({ db, url });
  }
}
