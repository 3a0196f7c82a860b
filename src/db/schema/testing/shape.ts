// The shape of a database as text that can be compared: Glance's own tables with columns, keys, checks and triggers, in the order the
// database has them; only the order of MySQL's indexes, which tells when each was made, is given up. What is ours (perennial_*) is left out.
import type { Database, Dialect } from "../../database.ts";
import { readLiveSchema } from "../schema-tools.ts";
import { definitionsOf } from "../sqlite/table-sql.ts";

const ours = /perennial_/;

const tableReaders: Record<Dialect["name"], (db: Database, table: string) => Promise<readonly string[]>> = {
  mysql: mysqlTable,
  sqlite: sqliteTable,
  postgresql: postgresqlTable,
};

/** Table name to its definitions, one a line. */
export async function shapeOf(db: Database): Promise<Readonly<Record<string, readonly string[]>>> {
  const tables = (await readLiveSchema(db)).tableNames.filter((name) => !ours.test(name)).sort();
  const shape: Record<string, readonly string[]> = {};
  for (const table of tables) shape[table] = await tableReaders[db.dialect.name](db, table);
  shape.triggers = await names(db, triggersSql[db.dialect.name]);
  for (const [kind, sql] of Object.entries(moreSql[db.dialect.name])) shape[kind] = await names(db, sql);
  return shape;
}

async function mysqlTable(db: Database, table: string): Promise<readonly string[]> {
  const [row] = await db.query<{ "Create Table": string }>(`SHOW CREATE TABLE ${table}`);
  const lines = (row?.["Create Table"] ?? "").split("\n").map((line) => line.trim().replace(/,$/, ""));
  const kept = lines.filter((line) => !ours.test(line)).map((line) => line.replace(/ AUTO_INCREMENT=\d+/, ""));
  const isIndex = (line: string) => /^(UNIQUE )?KEY /.test(line);
  const indexes = kept.filter(isIndex).sort();
  return kept.map((line) => (isIndex(line) ? (indexes.shift() ?? line) : line));
}

async function sqliteTable(db: Database, table: string): Promise<readonly string[]> {
  const rows = await db.query<{ type: string; sql: string | null }>(
    "SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL AND type <> 'trigger' ORDER BY type DESC, name",
    [table],
  );
  const lines = rows.flatMap((row) => (row.type === "table" ? definitionsOf(row.sql ?? "") : [row.sql ?? ""]));
  return lines.filter((line) => !ours.test(line));
}

/** Invalid indexes and constraints that are not proved are marked, so that they equal nothing. */
async function postgresqlTable(db: Database, table: string): Promise<readonly string[]> {
  const rows = await db.query<{ line: string }>(
    `SELECT line FROM (
       SELECT 1 AS part, a.attnum AS place, a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
         || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
         || COALESCE(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') AS line
       FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
       WHERE a.attrelid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped
       UNION ALL
       SELECT 2, 0, 'CONSTRAINT ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
       WHERE conrelid = to_regclass(?) AND contype <> 'n'
       UNION ALL
       SELECT 3, 0, pg_get_indexdef(x.indexrelid) || CASE WHEN x.indisvalid THEN '' ELSE ' (invalid)' END
       FROM pg_index x WHERE x.indrelid = to_regclass(?)
     ) lines ORDER BY part, place, line`,
    [table, table, table],
  );
  return rows.map(({ line }) => line).filter((line) => !ours.test(line));
}

const triggersSql: Record<Dialect["name"], string> = {
  mysql:
    "SELECT trigger_name AS name FROM information_schema.triggers WHERE event_object_schema = DATABASE() ORDER BY 1",
  sqlite: "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY 1",
  postgresql: "SELECT tgname AS name FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
};

const inOurSchema = (column: string) => `JOIN pg_namespace n ON n.oid = o.${column} AND n.nspname = current_schema()`;

/** What stands beside tables, and must not be left behind. */
const moreSql: Record<Dialect["name"], Readonly<Record<string, string>>> = {
  mysql: {},
  sqlite: {},
  postgresql: {
    functions: `SELECT proname AS name FROM pg_proc o ${inOurSchema("pronamespace")} ORDER BY 1`,
    types: `SELECT typname || ': ' || string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) AS name
      FROM pg_type o ${inOurSchema("typnamespace")} JOIN pg_enum e ON e.enumtypid = o.oid GROUP BY typname ORDER BY 1`,
    sequences: `SELECT o.relname AS name FROM pg_class o ${inOurSchema("relnamespace")} WHERE o.relkind = 'S' ORDER BY 1`,
  },
};

async function names(db: Database, sql: string): Promise<readonly string[]> {
  return (await db.query<{ name: string }>(sql)).map((row) => row.name);
}
