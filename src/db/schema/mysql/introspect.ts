// Reads the live schema of MySQL and MariaDB from information_schema.
import type { Queryable } from "../../database.ts";
import { type LiveColumn, LiveSchema, type LiveTable } from "../live-schema.ts";

type Draft = { columns: LiveColumn[]; indexes: Map<string, string[]>; checks: { name: string; clause: string }[] };

/** Columns are given names of their own, because servers differ in the case of information_schema's. */
export async function readMysqlSchema(db: Queryable): Promise<LiveSchema> {
  const drafts = new Map<string, Draft>();
  const draftOf = (table: string) => {
    const found = drafts.get(table);
    if (found) return found;
    const draft: Draft = { columns: [], indexes: new Map(), checks: [] };
    drafts.set(table, draft);
    return draft;
  };
  for (const row of await db.query<{ t: string; c: string; ty: string; n: string; d: string | null }>(
    `SELECT table_name AS t, column_name AS c, column_type AS ty, is_nullable AS n, column_default AS d
     FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position`,
  ))
    draftOf(row.t).columns.push({
      name: row.c,
      type: row.ty.toLowerCase(),
      nullable: row.n === "YES",
      // MariaDB writes the default of a nullable column without one as the text NULL.
      defaultSql: row.d === "NULL" ? null : row.d,
    });
  for (const row of await db.query<{ t: string; i: string; c: string }>(
    `SELECT table_name AS t, index_name AS i, column_name AS c FROM information_schema.statistics
     WHERE table_schema = DATABASE() ORDER BY table_name, index_name, seq_in_index`,
  )) {
    const { indexes } = draftOf(row.t);
    indexes.set(row.i, [...(indexes.get(row.i) ?? []), row.c]);
  }
  for (const row of await readChecks(db)) draftOf(row.t).checks.push({ name: row.name, clause: row.clause });
  // By trigger_schema, which is the same, MariaDB reads the triggers of all tables of all databases; and while it reads one that is not ours, the
  // list of connections shows ours as one to that database.
  const triggers = await db.query<{ name: string; t: string; moment: string; body: string | null }>(
    `SELECT trigger_name AS name, event_object_table AS t, CONCAT(action_timing, ' ', event_manipulation) AS moment, action_statement AS body
     FROM information_schema.triggers WHERE event_object_schema = DATABASE()`,
  );
  const tables = new Map<string, LiveTable>([...drafts].map(([name, draft]) => [name, { ...draft, createSql: null }]));
  const triggerOf = (row: (typeof triggers)[number]) => ({
    table: row.t,
    // Without the privilege its body is empty.
    definition: row.body ? `${row.moment} ${row.body}` : null,
    enabled: true,
  });
  return new LiveSchema(tables, new Map(triggers.map((row) => [row.name, triggerOf(row)])));
}

/** MySQL before 8.0.16 and MariaDB before 10.2 parse CHECK and forget it, so there the view is missing. */
async function readChecks(db: Queryable): Promise<readonly { t: string; name: string; clause: string }[]> {
  const known = await db.query<{ c: string }>(
    `SELECT column_name AS c FROM information_schema.columns
     WHERE table_schema = 'information_schema' AND table_name = 'CHECK_CONSTRAINTS'`,
  );
  if (known.length === 0) return [];
  // MariaDB names its constraints per table and says which; MySQL's are unique in a schema and need the join.
  if (known.some((row) => row.c.toUpperCase() === "TABLE_NAME"))
    return db.query(
      `SELECT table_name AS t, constraint_name AS name, check_clause AS clause
       FROM information_schema.check_constraints WHERE constraint_schema = DATABASE()`,
    );
  return db.query(
    `SELECT tc.table_name AS t, cc.constraint_name AS name, cc.check_clause AS clause
     FROM information_schema.check_constraints cc
     JOIN information_schema.table_constraints tc
       ON tc.constraint_schema = cc.constraint_schema AND tc.constraint_name = cc.constraint_name
     WHERE cc.constraint_schema = DATABASE() AND tc.constraint_type = 'CHECK'`,
  );
}
