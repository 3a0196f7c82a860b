// Reads the live schema of PostgreSQL from its catalogue: the tables of the schema that unqualified names lead to.
import type { Queryable } from "../../database.ts";
import { type LiveColumn, LiveSchema, type LiveTable } from "../live-schema.ts";

type Draft = { columns: LiveColumn[]; indexes: Map<string, string[]>; checks: { name: string; clause: string }[] };

const inOurSchema = "n.nspname = current_schema()";

export async function readPostgresqlSchema(db: Queryable): Promise<LiveSchema> {
  const drafts = new Map<string, Draft>();
  for (const row of await db.query<{ t: string; c: string; ty: string; nn: boolean; d: string | null }>(
    `SELECT c.relname AS t, a.attname AS c, format_type(a.atttypid, a.atttypmod) AS ty, a.attnotnull AS nn,
       pg_get_expr(d.adbin, d.adrelid) AS d
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE c.relkind = 'r' AND ${inOurSchema} ORDER BY c.relname, a.attnum`,
  )) {
    const draft: Draft = drafts.get(row.t) ?? { columns: [], indexes: new Map(), checks: [] };
    drafts.set(row.t, draft);
    draft.columns.push({ name: row.c, type: row.ty.toLowerCase(), nullable: !row.nn, defaultSql: row.d });
  }
  // An index whose concurrent build was cut short is invalid: no query uses it, and it has to be built anew.
  for (const row of await db.query<{ t: string; i: string; c: string }>(
    `SELECT c.relname AS t, i.relname AS i, pg_get_indexdef(x.indexrelid, k.n, true) AS c
     FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
     CROSS JOIN LATERAL generate_series(1, x.indnkeyatts) AS k(n)
     WHERE x.indisvalid AND ${inOurSchema} ORDER BY c.relname, i.relname, k.n`,
  )) {
    const indexes = drafts.get(row.t)?.indexes;
    indexes?.set(row.i, [...(indexes.get(row.i) ?? []), row.c]);
  }
  for (const row of await db.query<{ t: string; name: string; clause: string }>(
    `SELECT c.relname AS t, o.conname AS name, pg_get_constraintdef(o.oid) AS clause
     FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE o.contype = 'c' AND ${inOurSchema} ORDER BY 1, 2`,
  ))
    drafts.get(row.t)?.checks.push({ name: row.name, clause: row.clause });
  const triggers = await db.query<{ name: string; t: string }>(
    `SELECT g.tgname AS name, c.relname AS t FROM pg_trigger g
     JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT g.tgisinternal AND ${inOurSchema}`,
  );
  const tables = new Map<string, LiveTable>([...drafts].map(([name, draft]) => [name, { ...draft, createSql: null }]));
  return new LiveSchema(tables, new Map(triggers.map((row) => [row.name, row.t])));
}
