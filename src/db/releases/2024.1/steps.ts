// 2024.1 as the schema engine sees it: what the nodes' image caches hold may be kept in the database.
import { dropTable } from "../../schema/changes.ts";
import type { ExpandStep, ReleaseSteps } from "../../schema/step.ts";
import { createTableChanges, type TableDefinition } from "../../schema/table-definition.ts";

const nodeReference: TableDefinition = {
  name: "node_reference",
  columns: [
    ["node_reference_id", "bigid", "required"],
    ["node_reference_url", "varchar(255)", "required"],
  ],
  primaryKey: ["node_reference_id"],
  uniques: [["uq_node_reference_node_reference_url", "node_reference_url"]],
};

const cachedImages: TableDefinition = {
  name: "cached_images",
  columns: [
    ["id", "bigid", "required"],
    ["image_id", "varchar(36)", "required"],
    ["last_accessed", "datetime", "required"],
    ["last_modified", "datetime", "required"],
    ["size", "bigint", "required"],
    ["hits", "int", "required"],
    ["checksum", "varchar(32)"],
    ["node_reference_id", "bigint", "required"],
  ],
  primaryKey: ["id"],
  uniques: [["ix_cached_images_image_id_node_reference_id", "image_id", "node_reference_id"]],
  references: [["node_reference_id", "node_reference", "node_reference_id"]],
};

function tableStep(table: TableDefinition): ExpandStep {
  return {
    name: `create table ${table.name}`,
    isApplied: (schema) => schema.hasTable(table.name),
    isReverted: (schema) => !schema.hasTable(table.name),
    changes: createTableChanges(table),
    // What a cache holds is found again on the disk it lies on.
    revert: dropTable(table.name),
  };
}

export const caching: Partial<ReleaseSteps> = {
  expand: { "2024_1_expand01": [tableStep(nodeReference), tableStep(cachedImages)] },
};
