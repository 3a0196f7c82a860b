// What a database holds, counted: what a backup must give back.
import type { Database } from "../database.ts";
import { presentTables } from "../schema/schema-tools.ts";
import type { Rows } from "./database-copy.ts";

/** All tables but those of the database itself. */
export async function tablesOf(db: Database): Promise<readonly string[]> {
  return [...(await presentTables(db))].filter((name) => !name.startsWith("sqlite_")).sort();
}

/** However long it takes: counting walks an index of each table. Throws db.wrong_schema where one is missing. */
export function countRows(db: Database, tables: readonly string[]): Promise<Rows> {
  return db.session(async (session) => {
    const rows: Record<string, number> = {};
    for (const table of tables) {
      const [row] = await session.query<{ n: number | string }>(`SELECT COUNT(*) AS n FROM ${db.dialect.quote(table)}`);
      rows[table] = Number(row?.n);
    }
    return rows;
  });
}

export async function readRevisions(db: Database): Promise<readonly string[]> {
  const rows = await db.query<{ version_num: string }>("SELECT version_num FROM alembic_version ORDER BY version_num");
  return rows.map((row) => row.version_num);
}

/** Throws an error that names the first table that differs. */
export function compareRows(found: Rows, wanted: Rows, what: string): void {
  for (const table of new Set([...Object.keys(wanted), ...Object.keys(found)]))
    if (found[table] !== wanted[table])
      throw new Error(
        `${what}, ${table} has ${found[table] ?? "no"} rows, and ${wanted[table] ?? "none"} were written`,
      );
}
