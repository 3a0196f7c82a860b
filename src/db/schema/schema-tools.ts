// The one place of the schema engine where a dialect's own tools are chosen.
import type { Database, Dialect, Queryable, Session } from "../database.ts";
import { defaultLockLimits, type LockLimits, type SchemaExecutor } from "./executor.ts";
import type { LiveSchema } from "./live-schema.ts";
import { MysqlExecutor } from "./mysql/executor.ts";
import { readMysqlSchema } from "./mysql/introspect.ts";
import { readServer } from "./mysql/server.ts";
import { SqliteExecutor } from "./sqlite/executor.ts";
import { readSqliteSchema } from "./sqlite/introspect.ts";

type Tools = {
  readonly introspect: (db: Queryable) => Promise<LiveSchema>;
  readonly withExecutor: <T>(
    db: Database,
    limits: LockLimits,
    work: (executor: SchemaExecutor, session: Session) => Promise<T>,
  ) => Promise<T>;
};

const toolsByDialect: Record<Dialect["name"], Tools> = {
  mysql: {
    introspect: readMysqlSchema,
    withExecutor: (db, limits, work) =>
      db.session((session) =>
        db.session(async (watcher) => {
          const executor = new MysqlExecutor(session, watcher, await readServer(session), limits);
          await executor.prepare();
          return work(executor, session);
        }),
      ),
  },
  sqlite: {
    introspect: readSqliteSchema,
    withExecutor: (db, limits, work) => db.session((session) => work(new SqliteExecutor(session, limits), session)),
  },
};

/** Reads the whole schema of the database: a handful of statements. */
export function readLiveSchema(db: Pick<Database, "dialect" | "query" | "run">): Promise<LiveSchema> {
  return toolsByDialect[db.dialect.name].introspect(db);
}

/** Gives `work` an executor on a session of its own, for as long as it runs. */
export function withExecutor<T>(
  db: Database,
  limits: Partial<LockLimits>,
  work: (executor: SchemaExecutor, session: Session) => Promise<T>,
): Promise<T> {
  return toolsByDialect[db.dialect.name].withExecutor(db, { ...defaultLockLimits, ...limits }, work);
}
