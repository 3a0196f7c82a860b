// The tables of metadata definitions at Newton, as data. Facts of the reference implementation's schema: names, order and types
// are those an existing Glance database has, so that ours cannot be told from it.
import type { TableDefinition } from "../../schema/table-definition.ts";

export const metadefTables: readonly TableDefinition[] = [
  {
    name: "metadef_namespaces",
    columns: [
      ["id", "id", "required"],
      ["namespace", "varchar(80)", "required"],
      ["display_name", "varchar(80)"],
      ["description", "text"],
      ["visibility", "varchar(32)"],
      ["protected", "flag"],
      ["owner", "varchar(255)", "required"],
      ["created_at", "datetime", "required"],
      ["updated_at", "datetime"],
    ],
    primaryKey: ["id"],
    uniques: [["uq_metadef_namespaces_namespace", "namespace"]],
    indexes: [["ix_metadef_namespaces_owner", "owner"]],
  },
  {
    name: "metadef_resource_types",
    columns: [
      ["id", "id", "required"],
      ["name", "varchar(80)", "required"],
      ["protected", "flag", "required"],
      ["created_at", "datetime", "required"],
      ["updated_at", "datetime"],
    ],
    primaryKey: ["id"],
    uniques: [["uq_metadef_resource_types_name", "name"]],
  },
  {
    name: "metadef_namespace_resource_types",
    columns: [
      ["resource_type_id", "int", "required"],
      ["namespace_id", "int", "required"],
      ["properties_target", "varchar(80)"],
      ["prefix", "varchar(80)"],
      ["created_at", "datetime", "required"],
      ["updated_at", "datetime"],
    ],
    primaryKey: ["resource_type_id", "namespace_id"],
    indexes: [["ix_metadef_ns_res_types_namespace_id", "namespace_id"]],
    references: [
      ["namespace_id", "metadef_namespaces"],
      ["resource_type_id", "metadef_resource_types"],
    ],
  },
  {
    name: "metadef_objects",
    columns: [
      ["id", "id", "required"],
      ["namespace_id", "int", "required"],
      ["name", "varchar(80)", "required"],
      ["description", "text"],
      ["required", "text"],
      ["json_schema", "text", "required"],
      ["created_at", "datetime", "required"],
      ["updated_at", "datetime"],
    ],
    primaryKey: ["id"],
    uniques: [["uq_metadef_objects_namespace_id_name", "namespace_id", "name"]],
    indexes: [["ix_metadef_objects_name", "name"]],
    references: [["namespace_id", "metadef_namespaces"]],
  },
  {
    name: "metadef_properties",
    columns: [
      ["id", "id", "required"],
      ["namespace_id", "int", "required"],
      ["name", "varchar(80)", "required"],
      ["json_schema", "text", "required"],
      ["created_at", "datetime", "required"],
      ["updated_at", "datetime"],
    ],
    primaryKey: ["id"],
    uniques: [["uq_metadef_properties_namespace_id_name", "namespace_id", "name"]],
    indexes: [["ix_metadef_properties_name", "name"]],
    references: [["namespace_id", "metadef_namespaces"]],
  },
  {
    name: "metadef_tags",
    columns: [
      ["id", "id", "required"],
      ["namespace_id", "int", "required"],
      ["name", "varchar(80)", "required"],
      ["created_at", "datetime", "required"],
      ["updated_at", "datetime"],
    ],
    primaryKey: ["id"],
    uniques: [["uq_metadef_tags_namespace_id_name", "namespace_id", "name"]],
    indexes: [["ix_metadef_tags_name", "name"]],
    references: [["namespace_id", "metadef_namespaces"]],
  },
];
