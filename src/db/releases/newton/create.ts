// Newton: where the catalogue begins. A fresh database gets every table; one stamped liberty or mitaka01 gets what it lacks.
import { addIndex } from "../../schema/changes.ts";
import type { SchemaStep } from "../../schema/step.ts";
import { createTableChanges, type TableDefinition } from "../../schema/table-definition.ts";
import { artifactTables } from "./artifact-tables.ts";
import { imageTables } from "./image-tables.ts";
import { metadefTables } from "./metadef-tables.ts";

const createTable = (table: TableDefinition): SchemaStep => ({
  name: `create table ${table.name}`,
  standsAlone: true,
  isApplied: (schema) => schema.hasTable(table.name),
  changes: createTableChanges(table),
});

const timeIndex = (name: string, column: string): SchemaStep => ({
  name: `add index ${name} on images`,
  isApplied: (schema) => schema.hasIndex("images", name),
  changes: addIndex("images", name, [column]),
});

const renameResourceType =
  "UPDATE metadef_resource_types SET name = 'OS::Nova::Server' WHERE name = 'OS::Nova::Instance'";
const renameChange = () =>
  [{ do: "statement", kind: "rows", table: "metadef_resource_types", sql: renameResourceType }] as const;

export const create: readonly SchemaStep[] = [
  ...[...imageTables, ...metadefTables, ...artifactTables].map(createTable),
  // In a fresh database both stand in the table already; before Mitaka they did not.
  timeIndex("created_at_image_idx", "created_at"),
  timeIndex("updated_at_image_idx", "updated_at"),
  {
    name: "rename resource type OS::Nova::Instance to OS::Nova::Server",
    // Rows, not schema: harmless to repeat, and reached only while the database is below Newton.
    isApplied: () => false,
    standsAlone: true,
    changes: { mysql: renameChange, sqlite: renameChange, postgresql: renameChange },
  },
];
