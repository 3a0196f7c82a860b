// Rows of the six metadef tables, of one namespace at a time.
import assert from "node:assert/strict";
import { jsonText } from "../../core/json-text.ts";
import type {
  AssociationDraft,
  MetadefNamespace,
  NamespaceAttributes,
  ObjectDraft,
  PropertyDraft,
} from "../../metadefs/metadef.ts";
import type { Dialect, Queryable, SqlValue } from "../database.ts";
import { insertRows } from "../repositories/insert-rows.ts";

/** What stands in a namespace, in tables of their own with a name each. */
const partTables = ["metadef_properties", "metadef_objects", "metadef_tags"] as const;
const childTables = [...partTables, "metadef_namespace_resource_types"] as const;
/** Children first. */
export const metadefTables = [...childTables, "metadef_namespaces", "metadef_resource_types"] as const;

type Columns = Readonly<Record<string, SqlValue>>;
export type PartTable = (typeof partTables)[number];
export type PartRow = { readonly name: string; readonly columns: Columns };

/** How a namespace is written. */
export type Writing = {
  readonly dialect: Dialect;
  /** As a datetime column holds it. */
  readonly now: string;
  /** What is there already takes what the file says. */
  readonly preferNew: boolean;
  /** The columns of a new row that say since when it is so: files say when it came, requests also that it changed then. */
  readonly stamps: readonly ("created_at" | "updated_at")[];
  /** Whether a new resource type is kept from being deleted. */
  readonly protectsTypes: boolean;
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

/** Its id. Throws db.duplicate where another did so in between. */
export async function insertNamespace(tx: Queryable, one: MetadefNamespace, writing: Writing): Promise<number> {
  await insertOne(tx, "metadef_namespaces", { ...namespaceColumns(one), ...stampColumns(writing) });
  const id = await newId(tx, "metadef_namespaces", "namespace = ?", [one.namespace]);
  await saveAssociations(tx, id, one, writing, true);
  for (const table of partTables) await insertParts(tx, table, id, partRows[table](one), writing);
  return id;
}

/** Throws db.duplicate where a name is taken, or given twice. */
export async function insertParts(
  tx: Queryable,
  table: PartTable,
  namespaceId: number,
  parts: readonly PartRow[],
  writing: Pick<Writing, "now" | "stamps">,
): Promise<void> {
  const rows = parts.map(({ name, columns }) => ({
    namespace_id: namespaceId,
    name,
    ...columns,
    ...stampColumns(writing),
  }));
  const [first] = rows;
  if (!first) return;
  const values = rows.map((row) => Object.values<SqlValue>(row));
  await insertRows(tx, table, Object.keys(first), values);
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
  writing: Writing,
  isNew: boolean,
): Promise<void> {
  const { now, preferNew } = writing;
  for (const one of resourceTypes) {
    const type = await ensureResourceType(tx, one.name, writing);
    const columns = { properties_target: one.propertiesTarget, prefix: one.prefix };
    const key = [id, type];
    const found = isNew
      ? []
      : await tx.query(
          "SELECT namespace_id FROM metadef_namespace_resource_types WHERE namespace_id = ? AND resource_type_id = ?",
          key,
        );
    if (found.length === 0) await insertAssociation(tx, id, type, one, writing);
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

/** Throws db.duplicate where the two are associated already. */
export function insertAssociation(
  tx: Queryable,
  namespaceId: number,
  resourceTypeId: number,
  { prefix, propertiesTarget }: AssociationDraft,
  writing: Pick<Writing, "now" | "stamps">,
): Promise<void> {
  return insertOne(tx, "metadef_namespace_resource_types", {
    namespace_id: namespaceId,
    resource_type_id: resourceTypeId,
    properties_target: propertiesTarget,
    prefix,
    ...stampColumns(writing),
  });
}

/** Resource types are shared by all namespaces. */
export async function ensureResourceType(tx: Queryable, name: string, writing: Writing): Promise<number> {
  const { now, preferNew, protectsTypes } = writing;
  const table = "metadef_resource_types";
  const found = await idOf(tx, table, "name = ?", [name]);
  if (found === undefined) {
    await insertOne(tx, table, { name, protected: protectsTypes, ...stampColumns(writing) });
    return newId(tx, table, "name = ?", [name]);
  }
  if (preferNew) await update(tx, table, {}, now, "id = ?", [found]);
  return found;
}

const partRows: Record<PartTable, (one: MetadefNamespace) => readonly PartRow[]> = {
  metadef_properties: (one) => one.properties.map(propertyRow),
  metadef_objects: (one) => one.objects.map(objectRow),
  metadef_tags: (one) => one.tags.map(tagRow),
};

export function propertyRow({ name, schema }: PropertyDraft): PartRow {
  return { name, columns: { json_schema: jsonText(schema) } };
}

export function objectRow({ name, description, required, properties }: ObjectDraft): PartRow {
  return { name, columns: { description, required: required?.join(",") ?? null, json_schema: jsonText(properties) } };
}

export function tagRow(name: string): PartRow {
  return { name, columns: {} };
}

export function namespaceColumns(one: NamespaceAttributes): Columns {
  return {
    namespace: one.namespace,
    display_name: one.displayName,
    description: one.description,
    visibility: one.visibility,
    protected: one.protected,
    owner: one.owner,
  };
}

function stampColumns({ now, stamps }: Pick<Writing, "now" | "stamps">): Columns {
  return Object.fromEntries(stamps.map((column) => [column, now]));
}

function insertOne(tx: Queryable, table: string, columns: Columns): Promise<void> {
  return insertRows(tx, table, Object.keys(columns), [Object.values(columns)]);
}

/** With the time of it. Returns how many rows that were. */
export async function update(
  tx: Queryable,
  table: string,
  columns: Columns,
  now: string,
  where: string,
  params: readonly SqlValue[],
): Promise<number> {
  const sets = [...Object.keys(columns), "updated_at"].map((column) => `${column} = ?`).join(", ");
  const values = [...Object.values(columns), now, ...params];
  return (await tx.run(`UPDATE ${table} SET ${sets} WHERE ${where}`, values)).rowsAffected;
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
