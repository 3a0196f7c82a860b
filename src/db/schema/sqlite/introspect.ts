// Reads the live schema of SQLite from sqlite_master and its table-valued pragmas.
import type { Queryable } from "../../database.ts";
import { triggerTextOf } from "../definitions.ts";
import { type LiveColumn, LiveSchema, type LiveTable } from "../live-schema.ts";

export async function readSqliteSchema(db: Queryable): Promise<LiveSchema> {
  const masters = await db.query<{ type: string; name: string; t: string; sql: string | null }>(
    "SELECT type, name, tbl_name AS t, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%' ORDER BY rowid",
  );
  const columns = await db.query<{ t: string; c: string; ty: string; required: number; d: string | null }>(
    `SELECT m.name AS t, p.name AS c, p.type AS ty, p."notnull" AS required, p.dflt_value AS d
     FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table' ORDER BY m.rowid, p.cid`,
  );
  const indexes = await db.query<{ t: string; i: string; c: string | null }>(
    `SELECT m.tbl_name AS t, m.name AS i, p.name AS c
     FROM sqlite_master m, pragma_index_info(m.name) p WHERE m.type = 'index' ORDER BY m.rowid, p.seqno`,
  );
  const tables = new Map<string, LiveTable>();
  for (const master of masters.filter((row) => row.type === "table")) {
    const own = new Map<string, string[]>();
    for (const row of indexes)
      if (row.t === master.name) own.set(row.i, [...(own.get(row.i) ?? []), row.c ?? "(expression)"]);
    tables.set(master.name, {
      columns: columns.filter((row) => row.t === master.name).map(columnOf),
      indexes: own,
      checks: [],
      createSql: master.sql,
    });
  }
  const triggers = masters.filter((row) => row.type === "trigger");
  const triggerOf = (row: (typeof triggers)[number]) => ({
    table: row.t,
    definition: triggerTextOf(row.sql ?? "") ?? null,
    enabled: true,
  });
  return new LiveSchema(tables, new Map(triggers.map((row) => [row.name, triggerOf(row)])));
}

function columnOf(row: { c: string; ty: string; required: number; d: string | null }): LiveColumn {
  return { name: row.c, type: row.ty.toLowerCase(), nullable: row.required === 0, defaultSql: row.d };
}
