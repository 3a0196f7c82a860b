// Reads all metadata definitions, as they stood at one moment, and writes them to files; and empties their tables.

import { parseExactJson } from "../../core/exact-json.ts";
import type { MetadefNamespace } from "../../metadefs/metadef.ts";
import type { Database, Queryable } from "../database.ts";
import { writeMetadefFiles } from "./metadef-files.ts";
import { metadefTables } from "./metadef-rows.ts";
import { requiredNames } from "./part-repository.ts";

/** Returns the files written. Throws metadefs.bad_file. */
export async function exportMetadefs(db: Database, folder: string): Promise<readonly string[]> {
  return writeMetadefFiles(folder, await db.transaction(readMetadefs));
}

/** Empties the six tables at once. Returns how many namespaces there were. */
export function unloadMetadefs(db: Database): Promise<number> {
  return db.transaction(async (tx) => {
    let namespaces = 0;
    for (const table of metadefTables) {
      const { rowsAffected } = await tx.run(`DELETE FROM ${table}`);
      if (table === "metadef_namespaces") namespaces = rowsAffected;
    }
    return namespaces;
  });
}

type Text = string | null;
type InNamespace = { namespace_id: number };

async function readMetadefs(tx: Queryable): Promise<readonly MetadefNamespace[]> {
  const namespaces = await tx.query<{
    id: number;
    namespace: string;
    display_name: Text;
    description: Text;
    visibility: Text;
    protected: unknown;
    owner: string;
  }>(
    "SELECT id, namespace, display_name, description, visibility, protected, owner FROM metadef_namespaces ORDER BY namespace",
  );
  const associations = await tx.query<InNamespace & { name: string; prefix: Text; properties_target: Text }>(
    `SELECT a.namespace_id, t.name, a.prefix, a.properties_target FROM metadef_namespace_resource_types a
     JOIN metadef_resource_types t ON t.id = a.resource_type_id ORDER BY t.name`,
  );
  const properties = await tx.query<InNamespace & { name: string; json_schema: string }>(
    "SELECT namespace_id, name, json_schema FROM metadef_properties ORDER BY id",
  );
  const objects = await tx.query<
    InNamespace & { name: string; description: Text; required: Text; json_schema: string }
  >("SELECT namespace_id, name, description, required, json_schema FROM metadef_objects ORDER BY id");
  const tags = await tx.query<InNamespace & { name: string }>(
    "SELECT namespace_id, name FROM metadef_tags ORDER BY id",
  );
  const [associationsOf, propertiesOf, objectsOf, tagsOf] = [
    byNamespace(associations),
    byNamespace(properties),
    byNamespace(objects),
    byNamespace(tags),
  ];
  return namespaces.map((row) => ({
    namespace: row.namespace,
    displayName: row.display_name,
    description: row.description,
    visibility: row.visibility,
    protected: row.protected === null ? null : Boolean(row.protected),
    owner: row.owner,
    resourceTypes: associationsOf(row.id).map(({ name, prefix, properties_target }) => ({
      name,
      prefix,
      propertiesTarget: properties_target,
    })),
    properties: propertiesOf(row.id).map(({ name, json_schema }) => ({ name, schema: parseExactJson(json_schema) })),
    objects: objectsOf(row.id).map(({ name, description, required, json_schema }) => ({
      name,
      description,
      required: requiredNames(required),
      // The reference writes null for an object without properties.
      properties: parseExactJson(json_schema) ?? {},
    })),
    tags: tagsOf(row.id).map((tag) => tag.name),
  }));
}

function byNamespace<R extends InNamespace>(rows: readonly R[]): (id: number) => readonly R[] {
  const groups = Map.groupBy(rows, (row) => row.namespace_id);
  return (id) => groups.get(id) ?? [];
}
