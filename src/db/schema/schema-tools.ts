// The one place of the schema engine where a dialect's own tools are chosen.
import type { Database, Dialect, Queryable, Session } from "../database.ts";
import type { Cost } from "./cost.ts";
import { defaultLockLimits, type LockLimits, type SchemaExecutor } from "./executor.ts";
import type { Findings, PreflightPhase } from "./findings.ts";
import type { LiveSchema } from "./live-schema.ts";
import { MysqlExecutor } from "./mysql/executor.ts";
import { readMysqlSchema } from "./mysql/introspect.ts";
import { mysqlPreflight } from "./mysql/preflight.ts";
import { canSwitchColumns, costOf, readServer } from "./mysql/server.ts";
import { classOf } from "./postgresql/ddl-class.ts";
import { PostgresqlExecutor } from "./postgresql/executor.ts";
import { tablesSql as postgresqlTablesSql, readPostgresqlSchema } from "./postgresql/introspect.ts";
import { postgresqlPreflight } from "./postgresql/preflight.ts";
import { readServer as readPostgresqlServer } from "./postgresql/server.ts";
import { SqliteExecutor } from "./sqlite/executor.ts";
import { readSqliteSchema } from "./sqlite/introspect.ts";
import { sqlitePreflight } from "./sqlite/preflight.ts";
import type { Change } from "./step.ts";

type Tools = {
  readonly introspect: (db: Queryable) => Promise<LiveSchema>;
  readonly tablesSql: string;
  readonly pricer: (db: Queryable) => Promise<(change: Change) => Cost>;
  readonly preflight: (db: Database, phase: PreflightPhase) => Promise<Findings>;
  /** Tells the planner what the columns of a table hold; null where it looks for itself before every statement. */
  readonly statisticsSql: ((table: string) => string) | null;
  readonly withExecutor: <T>(
    db: Database,
    limits: LockLimits,
    work: (executor: SchemaExecutor, session: Session) => Promise<T>,
  ) => Promise<T>;
};

const toolsByDialect: Record<Dialect["name"], Tools> = {
  mysql: {
    introspect: readMysqlSchema,
    tablesSql: "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()",
    async pricer(db) {
      const server = await readServer(db);
      return (change) => {
        if (change.do === "require") return canSwitchColumns(server) ? "switch" : costOf(server, "require_column");
        return change.do === "alter" ? costOf(server, change.kind) : "instant";
      };
    },
    preflight: mysqlPreflight,
    statisticsSql: null,
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
    tablesSql: "SELECT name FROM sqlite_master WHERE type = 'table'",
    pricer: async () => (change) => sqliteCost(change),
    preflight: sqlitePreflight,
    statisticsSql: null,
    withExecutor: (db, limits, work) => db.session((session) => work(new SqliteExecutor(session, limits), session)),
  },
  postgresql: {
    introspect: readPostgresqlSchema,
    tablesSql: postgresqlTablesSql,
    async pricer(db) {
      const server = await readPostgresqlServer(db);
      return (change) => classOf(change, server).cost;
    },
    preflight: postgresqlPreflight,
    // Of a column just filled it knows nothing until autovacuum comes by: pages were sorted instead of walked (20 to 420 ms each).
    statisticsSql: (table) => `ANALYZE ${table}`,
    withExecutor: (db, limits, work) =>
      db.session((session) =>
        db.session(async (watcher) => {
          const executor = new PostgresqlExecutor(session, watcher, await readPostgresqlServer(session), limits);
          await executor.prepare();
          return work(executor, session);
        }),
      ),
  },
};

/** Reads the whole schema of the database: a handful of statements. */
export function readLiveSchema(db: Pick<Database, "dialect" | "query" | "run">): Promise<LiveSchema> {
  return toolsByDialect[db.dialect.name].introspect(db);
}

/** The names of all tables, in one statement. */
export async function presentTables(db: Pick<Database, "dialect" | "query">): Promise<ReadonlySet<string>> {
  const rows = await db.query<{ name: string }>(toolsByDialect[db.dialect.name].tablesSql);
  return new Set(rows.map((row) => row.name));
}

/** Says what a change costs here, at best. */
export function readPricer(db: Database): Promise<(change: Change) => Cost> {
  return toolsByDialect[db.dialect.name].pricer(db);
}

function sqliteCost(change: Change): Cost {
  if (change.do === "rebuild") return "rebuild";
  if (change.do === "statement" && change.kind === "index") return "index_build";
  return change.do === "statement" && / DROP COLUMN /.test(change.sql) ? "rebuild" : "instant";
}

/** What is missing, and what is worth knowing, before a phase touches anything. */
export function readFindings(db: Database, phase: PreflightPhase): Promise<Findings> {
  return toolsByDialect[db.dialect.name].preflight(db, phase);
}

/** Gives `work` an executor on a session of its own, for as long as it runs. */
export function withExecutor<T>(
  db: Database,
  limits: Partial<LockLimits>,
  work: (executor: SchemaExecutor, session: Session) => Promise<T>,
): Promise<T> {
  return toolsByDialect[db.dialect.name].withExecutor(db, { ...defaultLockLimits, ...limits }, work);
}

/** After columns were added or filled: lists walk our indexes from the first request on. Samples the tables; nobody waits. */
export async function refreshStatistics(db: Database, tables: readonly string[]): Promise<void> {
  const { statisticsSql } = toolsByDialect[db.dialect.name];
  if (statisticsSql === null) return;
  await db.session(async (session) => {
    for (const table of new Set(tables)) await session.run(statisticsSql(table));
  });
}
