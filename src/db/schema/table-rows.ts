// About how many rows each table has, as the server's own bookkeeping says it: good enough for an estimate, and free at any size.
import type { Database, Dialect, Queryable } from "../database.ts";
import { presentTables } from "./schema-tools.ts";

type Counter = (db: Queryable, tables: ReadonlySet<string>) => Promise<ReadonlyMap<string, number>>;

async function fromStatistics(db: Queryable, sql: string): Promise<ReadonlyMap<string, number>> {
  const rows = await db.query<{ name: string; n: unknown }>(sql);
  return new Map(rows.map(({ name, n }) => [name, Math.max(Number(n ?? 0), 0)]));
}

const counters: Record<Dialect["name"], Counter> = {
  mysql: (db) =>
    fromStatistics(
      db,
      "SELECT table_name AS name, table_rows AS n FROM information_schema.tables WHERE table_schema = DATABASE()",
    ),
  postgresql: (db) =>
    fromStatistics(
      db,
      `SELECT c.relname AS name, GREATEST(c.reltuples, s.n_live_tup) AS n FROM pg_stat_user_tables s
       JOIN pg_class c ON c.oid = s.relid WHERE s.schemaname = current_schema()`,
    ),
  // Keeps no count; the highest row id is found in a moment, and not below it.
  async sqlite(db, tables) {
    const counts = new Map<string, number>();
    for (const table of tables) {
      const [row] = await db.query<{ n: unknown }>(`SELECT MAX(rowid) AS n FROM "${table}"`);
      counts.set(table, Number(row?.n ?? 0));
    }
    return counts;
  },
};

export async function readTableRows(db: Database): Promise<ReadonlyMap<string, number>> {
  return counters[db.dialect.name](db, await presentTables(db));
}

/** What a progress line says of all rows of `table`. */
export async function estimatedTotal(db: Database, table: string) {
  const rowsTotal = (await readTableRows(db)).get(table) ?? null;
  return { rowsTotal, rowsTotalEstimated: true } as const;
}
