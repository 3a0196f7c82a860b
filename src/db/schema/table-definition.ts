// Tables described once, as data, and written down as CREATE TABLE for each dialect: Glance's own (releases/newton) and ours.
import assert from "node:assert/strict";
import type { Dialect } from "../database.ts";

/** `id`: a number the database counts up. `flag`: 0 or 1, checked where the database checks. */
export type ColumnType =
  | `varchar(${number})`
  | "text"
  | "int"
  | "bigint"
  | "double"
  | "decimal"
  | "datetime"
  | "flag"
  | "id";

/** Name, type, and then: required (NOT NULL) or optional, and a default as SQL. */
export type Column = readonly [name: string, type: ColumnType, need?: "required" | "optional", defaultSql?: string];

export type TableDefinition = {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly primaryKey: readonly string[];
  readonly uniques?: readonly (readonly [name: string, ...columns: string[]])[];
  readonly indexes?: readonly (readonly [name: string, ...columns: string[]])[];
  /** Column, and the table it refers to: always that table's `id`. In the order of the reference's constraint names. */
  readonly references?: readonly (readonly [column: string, table: string])[];
};

const mysqlTypes: Record<string, string> = { flag: "tinyint(1)", int: "int(11)", bigint: "bigint(20)", id: "int(11)" };
const sqliteTypes: Record<string, string> = { flag: "BOOLEAN", int: "INTEGER", id: "INTEGER", decimal: "NUMERIC" };

type Style = {
  readonly type: (type: ColumnType) => string;
  readonly idSuffix: string;
  /** Whether indexes stand inside CREATE TABLE. */
  readonly indexesInside: boolean;
  readonly tableSuffix: string;
};

const styles: Record<Dialect["name"], Style> = {
  mysql: {
    type: (type) => mysqlTypes[type] ?? type,
    idSuffix: " AUTO_INCREMENT",
    indexesInside: true,
    // Glance's tables are utf8 of three bytes; a wider set would make the index on a 255 character column too long for old servers.
    tableSuffix: " ENGINE=InnoDB DEFAULT CHARSET=utf8",
  },
  sqlite: {
    type: (type) => sqliteTypes[type] ?? type.toUpperCase(),
    idSuffix: "",
    indexesInside: false,
    tableSuffix: "",
  },
};

/** The statements that create the table and its indexes. Names come from our own code, so they are not quoted. */
export function createTableSql(
  table: TableDefinition,
  dialect: Dialect["name"],
  options: { ifNotExists?: boolean } = {},
): readonly string[] {
  const style = styles[dialect];
  const parts = table.columns.map(([name, type, need = "optional", defaultSql]) => {
    assert(type !== "id" || need === "required", `${table.name}.${name}: a counted id is required`);
    const suffix = type === "id" ? style.idSuffix : "";
    const fallback = defaultSql === undefined ? "" : ` DEFAULT ${defaultSql}`;
    return `${name} ${style.type(type)}${need === "required" ? " NOT NULL" : ""}${fallback}${suffix}`;
  });
  parts.push(`PRIMARY KEY (${table.primaryKey.join(", ")})`);
  for (const [name, ...columns] of table.uniques ?? []) parts.push(`CONSTRAINT ${name} UNIQUE (${columns.join(", ")})`);
  const indexes = table.indexes ?? [];
  if (style.indexesInside) for (const [name, ...columns] of indexes) parts.push(`KEY ${name} (${columns.join(", ")})`);
  for (const [column, other] of table.references ?? []) parts.push(`FOREIGN KEY (${column}) REFERENCES ${other} (id)`);
  for (const [name, type] of table.columns) if (type === "flag") parts.push(`CHECK (${name} IN (0, 1))`);
  const guard = options.ifNotExists ? "IF NOT EXISTS " : "";
  const create = `CREATE TABLE ${guard}${table.name} (\n  ${parts.join(",\n  ")}\n)${style.tableSuffix}`;
  if (style.indexesInside) return [create];
  return [
    create,
    ...indexes.map(([name, ...columns]) => `CREATE INDEX ${guard}${name} ON ${table.name} (${columns.join(", ")})`),
  ];
}
