// Rows of the six metadef tables, of one namespace at a time.
import assert from "node:assert/strict";
import type { Dialect, Queryable, SqlValue } from "../database.ts";
import { insertRows } from "../repositories/insert-rows.ts";
import { jsonText } from "../repositories/json-text.ts";
import type { MetadefNamespace } from "./namespace.ts";

/** What stands in a namespace, in tables of their own with a name each. */
const partTables = ["metadef_properties", "metadef_objects", "metadef_tags"] as const;
const childTables = [...partTables, "metadef_namespace_resource_types"] as const;
/** Children first. */
export const metadefTables = [...childTables, "metadef_namespaces", "metadef_resource_types"] as const;

type Columns = Readonly<Record<string, SqlValue>>;
type PartRow = { readonly name: string; readonly columns: Columns };

/** How a namespace is written. */
export type Writing = {
  readonly dialect: Dialect;
  /** As a datetime column holds it. */
  readonly now: string;
  /** What is there already takes what the file says. */
  readonly preferNew: boolean;
};

/** Its id, with the row locked. */
export async function findNamespace(tx: Queryable, name: string, { forUpdate }: Dialect): Promise<number | undefined> {
  const sql = `SELECT id FROM metadef_namespaces WHERE namespace = ?${forUpdate}`;
  const [row] = await tx.query<{ id: number }>(sql, [name]);
  return row?.id;
}

export async function removeNamespace(tx: Queryable, id: number): Promise<void> {
  for (const table of childTables) await tx.run(`DELETE FROM ${table} WHERE namespace_id = ?`, [id]);
  await tx.run("DELETE FROM metadef_namespaces WHERE id = ?", [id]);
}

/** Throws db.duplicate where another did so in between. */
export async function insertNamespace(tx: Queryable, one: MetadefNamespace, writing: Writing): Promise<void> {
  await insertOne(tx, "metadef_namespaces", { ...namespaceColumns(one), created_at: writing.now });
  const id = await newId(tx, "metadef_namespaces", "namespace = ?", [one.namespace]);
  await saveAssociations(tx, id, one, writing, true);
  for (const table of partTables) {
    const rows = partRows[table](one).map(({ name, columns }) => ({
      namespace_id: id,
      name,
      ...columns,
      created_at: writing.now,
    }));
    const [first] = rows;
    if (first)
      await insertRows(
        tx,
        table,
        Object.keys(first),
        rows.map((row) => Object.values<SqlValue>(row)),
      );
  }
}

/** Adds what is not there; with `preferNew` what is there is changed to what `one` says. Nothing is taken away. */
export async function mergeNamespace(
  tx: Queryable,
  id: number,
  one: MetadefNamespace,
  writing: Writing,
): Promise<void> {
  const { now, preferNew } = writing;
  if (preferNew) await update(tx, "metadef_namespaces", namespaceColumns(one), now, "id = ?", [id]);
  await saveAssociations(tx, id, one, writing, false);
  for (const table of partTables)
    for (const { name, columns } of partRows[table](one)) {
      const found = await idOf(tx, table, "namespace_id = ? AND name = ?", [id, name]);
      if (found === undefined) await insertOne(tx, table, { namespace_id: id, name, ...columns, created_at: now });
      else if (preferNew) await update(tx, table, columns, now, "id = ?", [found]);
    }
}

async function saveAssociations(
  tx: Queryable,
  id: number,
  { resourceTypes }: MetadefNamespace,
  { now, preferNew }: Writing,
  isNew: boolean,
): Promise<void> {
  for (const { name, prefix, propertiesTarget } of resourceTypes) {
    const type = await ensureResourceType(tx, name, { now, preferNew });
    const columns = { properties_target: propertiesTarget, prefix };
    const key = [id, type];
    const found = isNew
      ? []
      : await tx.query(
          "SELECT namespace_id FROM metadef_namespace_resource_types WHERE namespace_id = ? AND resource_type_id = ?",
          key,
        );
    if (found.length === 0)
      await insertOne(tx, "metadef_namespace_resource_types", {
        namespace_id: id,
        resource_type_id: type,
        ...columns,
        created_at: now,
      });
    else if (preferNew)
      await update(
        tx,
        "metadef_namespace_resource_types",
        columns,
        now,
        "namespace_id = ? AND resource_type_id = ?",
        key,
      );
  }
}

/** Resource types are shared by all namespaces; those of files are protected. */
async function ensureResourceType(
  tx: Queryable,
  name: string,
  { now, preferNew }: Pick<Writing, "now" | "preferNew">,
): Promise<number> {
  const table = "metadef_resource_types";
  const found = await idOf(tx, table, "name = ?", [name]);
  if (found === undefined) {
    await insertOne(tx, table, { name, protected: true, created_at: now });
    return newId(tx, table, "name = ?", [name]);
  }
  if (preferNew) await update(tx, table, {}, now, "id = ?", [found]);
  return found;
}

const partRows: Record<(typeof partTables)[number], (one: MetadefNamespace) => readonly PartRow[]> = {
  metadef_properties: (one) =>
    one.properties.map(({ name, schema }) => ({ name, columns: { json_schema: jsonText(schema) } })),
  metadef_objects: (one) =>
    one.objects.map(({ name, description, required, properties }) => ({
      name,
      columns: { description, required: required?.join(",") ?? null, json_schema: jsonText(properties) },
    })),
  metadef_tags: (one) => one.tags.map((name) => ({ name, columns: {} })),
};

function namespaceColumns(one: MetadefNamespace): Columns {
  return {
    namespace: one.namespace,
    display_name: one.displayName,
    description: one.description,
    visibility: one.visibility,
    protected: one.protected,
    owner: one.owner,
  };
}

function insertOne(tx: Queryable, table: string, columns: Columns): Promise<void> {
  return insertRows(tx, table, Object.keys(columns), [Object.values(columns)]);
}

async function update(
  tx: Queryable,
  table: string,
  columns: Columns,
  now: string,
  where: string,
  params: readonly SqlValue[],
): Promise<void> {
  const sets = [...Object.keys(columns), "updated_at"].map((column) => `${column} = ?`).join(", ");
  await tx.run(`UPDATE ${table} SET ${sets} WHERE ${where}`, [...Object.values(columns), now, ...params]);
}

async function idOf(
  tx: Queryable,
  table: string,
  where: string,
  params: readonly SqlValue[],
): Promise<number | undefined> {
  const [row] = await tx.query<{ id: number }>(`SELECT id FROM ${table} WHERE ${where}`, params);
  return row?.id;
}

/** Of a row that this transaction wrote. */
async function newId(tx: Queryable, table: string, where: string, params: readonly SqlValue[]): Promise<number> {
  return (await idOf(tx, table, where, params)) ?? assert.fail(`${table}: the new row is there`);
}
