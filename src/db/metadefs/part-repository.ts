// What stands in a namespace under names of its own: properties, objects and tags, one table each.

import { isServiceError } from "../../core/errors.ts";
import { parseExactJson } from "../../core/exact-json.ts";
import { duplicate, isProtected } from "../../metadefs/failures.ts";
import type {
  JsonObject,
  MetadefObject,
  MetadefProperty,
  MetadefTag,
  ObjectDraft,
  PropertyDraft,
} from "../../metadefs/metadef.ts";
import type { PartRepository, TagRepository } from "../../metadefs/ports.ts";
import type { Dialect, Queryable, Row, SqlValue } from "../database.ts";
import type { MetadefContext } from "./metadef-repository.ts";
import { insertParts, objectRow, type PartRow, type PartTable, propertyRow, tagRow, update } from "./metadef-rows.ts";
import { readStamps, type StampRow } from "./namespace-row.ts";
import { behindMarker, orderTerms } from "./paging.ts";

type Kind<Part, Draft, R extends Row> = {
  readonly table: PartTable;
  readonly columns: string;
  readonly order: string;
  readonly row: (draft: Draft) => PartRow;
  readonly read: (row: R, dialect: Dialect) => Part;
};

type ObjectRow = StampRow & { name: string; description: string | null; required: string | null; json_schema: string };

export function createObjectRepository(context: MetadefContext): PartRepository<MetadefObject, ObjectDraft> {
  return createPartRepository(context, {
    table: "metadef_objects",
    columns: "name, description, required, json_schema, created_at, updated_at",
    order: "id",
    row: objectRow,
    read: (row: ObjectRow, dialect) => ({
      name: row.name,
      description: row.description,
      required: requiredNames(row.required) ?? [],
      properties: readObject(row.json_schema),
      ...readStamps(row, dialect),
    }),
  });
}

export function createPropertyRepository(context: MetadefContext): PartRepository<MetadefProperty, PropertyDraft> {
  return createPartRepository(context, {
    table: "metadef_properties",
    columns: "name, json_schema",
    order: "id",
    row: propertyRow,
    read: (row: { name: string; json_schema: string }) => ({ name: row.name, schema: readObject(row.json_schema) }),
  });
}

type TagRow = StampRow & { id: number; name: string };
type TagDraft = { readonly name: string };

const tagKind: Kind<MetadefTag, TagDraft, TagRow> = {
  table: "metadef_tags",
  columns: "id, name, created_at, updated_at",
  order: "created_at desc, id desc",
  row: ({ name }) => tagRow(name),
  read: (row, dialect) => ({ name: row.name, ...readStamps(row, dialect) }),
};

export function createTagRepository(context: MetadefContext): TagRepository {
  const { db, writing, change } = context;
  const { table, columns, read } = tagKind;
  return {
    ...createPartRepository(context, tagKind),

    async page(namespaceId, paging) {
      const params: SqlValue[] = [namespaceId];
      let condition = "t.namespace_id = ?";
      if (paging.marker !== undefined) {
        const [marker] = await db.query<TagRow>(`select ${columns} from ${table} where namespace_id = ? and name = ?`, [
          namespaceId,
          paging.marker,
        ]);
        if (!marker) return undefined;
        const behind = behindMarker("t", paging, marker);
        condition += ` and ${behind.sql}`;
        params.push(...behind.params);
      }
      if (paging.limit === 0) return [];
      const limit = paging.limit === null ? "" : ` limit ${Math.trunc(paging.limit)}`;
      const order = orderTerms("t", paging, db.dialect);
      const rows = await db.query<TagRow>(
        `select ${columns} from ${table} t where ${condition} order by ${order}${limit}`,
        params,
      );
      return rows.map((row) => read(row, db.dialect));
    },

    addAll: (namespaceId, names, { append }) =>
      takenAs("A tag of this name exists already, or is given twice.", () =>
        change(namespaceId, async (tx) => {
          if (!append) await tx.run(`delete from ${table} where namespace_id = ?`, [namespaceId]);
          await insertParts(tx, table, namespaceId, names.map(tagRow), writing());
        }),
      ),
  };
}

/** null: none. The database keeps the names as one text. */
export function requiredNames(text: string | null): readonly string[] | null {
  return text ? text.split(",") : null;
}

/** The reference writes null for an object without properties. */
function readObject(json: string): JsonObject {
  return (parseExactJson(json) ?? {}) as JsonObject;
}

function createPartRepository<Part, Draft, R extends Row>(
  { db, writing, change }: MetadefContext,
  { table, columns, order, row: rowOf, read }: Kind<Part, Draft, R>,
): PartRepository<Part, Draft> {
  const { dialect } = db;

  async function find(from: Queryable, namespaceId: number, name: string): Promise<Part | undefined> {
    const sql = `select ${columns} from ${table} where namespace_id = ? and name = ?`;
    const [row] = await from.query<R>(sql, [namespaceId, name]);
    return row && read(row, dialect);
  }

  return {
    async list(namespaceId) {
      const sql = `select ${columns} from ${table} where namespace_id = ? order by ${order}`;
      return (await db.query<R>(sql, [namespaceId])).map((row) => read(row, dialect));
    },

    find: (namespaceId, name) => find(db, namespaceId, name),

    add(namespaceId, draft) {
      const row = rowOf(draft);
      return takenAs(`${row.name} exists already in this namespace.`, () =>
        change(namespaceId, async (tx) => {
          await insertParts(tx, table, namespaceId, [row], writing());
          const made = await find(tx, namespaceId, row.name);
          if (!made) throw new TypeError("a row that was just written is there");
          return made;
        }),
      );
    },

    update(namespaceId, name, draft) {
      const row = rowOf(draft);
      return takenAs(`${row.name} exists already in this namespace.`, () =>
        change(namespaceId, async (tx) => {
          const changed = { name: row.name, ...row.columns };
          const here = "namespace_id = ? and name = ?";
          const rows = await update(tx, table, changed, writing().now, here, [namespaceId, name]);
          return rows === 0 ? undefined : find(tx, namespaceId, row.name);
        }),
      );
    },

    remove: (namespaceId, name) =>
      change(namespaceId, async (tx, namespace) => {
        if (!(await find(tx, namespaceId, name))) return false;
        if (namespace.protected) throw isProtected(namespace.namespace);
        await tx.run(`delete from ${table} where namespace_id = ? and name = ?`, [namespaceId, name]);
        return true;
      }),

    clear: (namespaceId) =>
      change(namespaceId, async (tx, namespace) => {
        if (namespace.protected) throw isProtected(namespace.namespace);
        await tx.run(`delete from ${table} where namespace_id = ?`, [namespaceId]);
      }),
  };
}

async function takenAs<T>(message: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isServiceError(error, "db.duplicate")) throw duplicate(message);
    throw error;
  }
}
