// The shape of a database as text that can be compared: Glance's own tables with columns, keys, checks and triggers, in the order the
// database has them; only the order of MySQL's indexes, which tells when each was made, is given up. What is ours (perennial_*) is left out.
import type { Database } from "../../database.ts";
import { readLiveSchema } from "../schema-tools.ts";
import { definitionsOf } from "../sqlite/table-sql.ts";

const ours = /perennial_/;

/** Table name to its definitions, one a line. */
export async function shapeOf(db: Database): Promise<Readonly<Record<string, readonly string[]>>> {
  const tables = (await readLiveSchema(db)).tableNames.filter((name) => !ours.test(name)).sort();
  const shape: Record<string, readonly string[]> = {};
  for (const table of tables) shape[table] = await (db.dialect.name === "mysql" ? mysqlTable : sqliteTable)(db, table);
  shape.triggers = await triggers(db);
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

async function triggers(db: Database): Promise<readonly string[]> {
  const sql = {
    mysql: "SELECT trigger_name AS name FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY 1",
    sqlite: "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY 1",
    postgresql: "SELECT tgname AS name FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
  };
  return (await db.query<{ name: string }>(sql[db.dialect.name])).map((row) => row.name);
}
