// Reads the live schema of PostgreSQL from its catalogue: the tables that unqualified names lead to, whatever schema they are in.
import type { Queryable } from "../../database.ts";
import { type LiveColumn, LiveSchema, type LiveTable } from "../live-schema.ts";

type Draft = {
  columns: LiveColumn[];
  indexes: Map<string, string[]>;
  unfinishedIndexes: string[];
  checks: { name: string; clause: string }[];
};

/**
 * Ordinary tables only: no parts of a partitioned one, nothing temporary. `c` is pg_class and `n` its namespace. Another schema of the
 * search path may hold a table of the same name; the first one is meant, as in every statement.
 */
export const isOurTable = `c.relkind = 'r' AND NOT c.relispartition AND c.relpersistence <> 't' AND pg_table_is_visible(c.oid)
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'`;

const ofTables = (oid: string) =>
  `JOIN pg_class c ON c.oid = ${oid} JOIN pg_namespace n ON n.oid = c.relnamespace AND ${isOurTable}`;

export const tablesSql = `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${isOurTable}`;

export async function readPostgresqlSchema(db: Queryable): Promise<LiveSchema> {
  const drafts = new Map<string, Draft>();
  for (const row of await db.query<{ t: string; c: string; ty: string; nn: boolean; d: string | null }>(
    `SELECT c.relname AS t, a.attname AS c, format_type(a.atttypid, a.atttypmod) AS ty, a.attnotnull AS nn,
       pg_get_expr(d.adbin, d.adrelid) AS d
     FROM pg_attribute a ${ofTables("a.attrelid")}
     LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum`,
  )) {
    const draft: Draft = drafts.get(row.t) ?? { columns: [], indexes: new Map(), unfinishedIndexes: [], checks: [] };
    drafts.set(row.t, draft);
    draft.columns.push({ name: row.c, type: row.ty.toLowerCase(), nullable: !row.nn, defaultSql: row.d });
  }
  // An index whose concurrent build or removal was cut short is invalid: no query uses it, so it counts as absent.
  for (const row of await db.query<{ t: string; i: string; c: string; valid: boolean; n: number }>(
    `SELECT c.relname AS t, i.relname AS i, x.indisvalid AS valid, k.n, pg_get_indexdef(x.indexrelid, k.n, true) AS c
     FROM pg_index x ${ofTables("x.indrelid")} JOIN pg_class i ON i.oid = x.indexrelid
     CROSS JOIN LATERAL generate_series(1, x.indnkeyatts) AS k(n) ORDER BY c.relname, i.relname, k.n`,
  )) {
    const draft = drafts.get(row.t);
    if (row.valid) draft?.indexes.set(row.i, [...(draft.indexes.get(row.i) ?? []), row.c]);
    else if (row.n === 1) draft?.unfinishedIndexes.push(row.i);
  }
  for (const row of await db.query<{ t: string; name: string; clause: string }>(
    `SELECT c.relname AS t, o.conname AS name, pg_get_constraintdef(o.oid) AS clause
     FROM pg_constraint o ${ofTables("o.conrelid")} WHERE o.contype = 'c' ORDER BY 1, 2`,
  ))
    drafts.get(row.t)?.checks.push({ name: row.name, clause: row.clause });
  const triggers = await db.query<{ name: string; t: string; made: string; body: string; fires: string }>(
    `SELECT g.tgname AS name, c.relname AS t, pg_get_triggerdef(g.oid) AS made, p.prosrc AS body, g.tgenabled AS fires
     FROM pg_trigger g ${ofTables("g.tgrelid")} JOIN pg_proc p ON p.oid = g.tgfoid WHERE NOT g.tgisinternal`,
  );
  const tables = new Map<string, LiveTable>([...drafts].map(([name, draft]) => [name, { ...draft, createSql: null }]));
  const triggerOf = (row: (typeof triggers)[number]) => {
    const moment = / (BEFORE|AFTER|INSTEAD OF) (.*?) ON /.exec(row.made)?.slice(1).join(" ");
    return { table: row.t, definition: moment ? `${moment} ${row.body}` : null, enabled: row.fires !== "D" };
  };
  return new LiveSchema(tables, new Map(triggers.map((row) => [row.name, triggerOf(row)])));
}
