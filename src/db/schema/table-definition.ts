// Tables described once, as data, and written down as CREATE TABLE for each dialect: Glance's own (releases/newton) and ours.
import assert from "node:assert/strict";
import type { Dialect } from "../database.ts";
import type { Changes } from "./step.ts";

/** `id`, `bigid`: a number the database counts up. `flag`: true or false, or 0 or 1 with a CHECK where the database has no booleans. */
export type ColumnType =
  | `varchar(${number})`
  | "text"
  | "int"
  | "bigint"
  | "double"
  | "decimal"
  | "datetime"
  | "flag"
  | "id"
  | "bigid";

/** Name, type, and then: required (NOT NULL) or optional, and a default as SQL. */
export type Column = readonly [name: string, type: ColumnType, need?: "required" | "optional", defaultSql?: string];

export type TableDefinition = {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly primaryKey: readonly string[];
  readonly uniques?: readonly (readonly [name: string, ...columns: string[]])[];
  readonly indexes?: readonly (readonly [name: string, ...columns: string[]])[];
  /** Column, and the table it refers to, by its `id` unless another column is named. In the order of the reference's constraint names. */
  readonly references?: readonly (readonly [column: string, table: string, target?: string])[];
};

const mysqlTypes: Record<string, string> = {
  flag: "tinyint(1)",
  int: "int(11)",
  bigint: "bigint(20)",
  id: "int(11)",
  bigid: "bigint(20)",
};
// SQLite counts up only a primary key that is called INTEGER, whatever its size.
const sqliteTypes: Record<string, string> = {
  flag: "BOOLEAN",
  int: "INTEGER",
  id: "INTEGER",
  bigid: "INTEGER",
  decimal: "NUMERIC",
};
const postgresqlTypes: Record<string, string> = {
  flag: "boolean",
  int: "integer",
  double: "double precision",
  datetime: "timestamp without time zone",
  decimal: "numeric",
  id: "serial",
  bigid: "bigserial",
};

type Style = {
  readonly type: (type: ColumnType) => string;
  readonly idSuffix: string;
  /** Whether indexes stand inside CREATE TABLE. */
  readonly indexesInside: boolean;
  /** Flags are numbers, held to 0 and 1 by a CHECK. */
  readonly flagsAreNumbers: boolean;
  readonly tableSuffix: string;
};

const styles: Record<Dialect["name"], Style> = {
  mysql: {
    type: (type) => mysqlTypes[type] ?? type,
    idSuffix: " AUTO_INCREMENT",
    indexesInside: true,
    flagsAreNumbers: true,
    // Glance's tables are utf8 of three bytes; a wider set would make the index on a 255 character column too long for old servers.
    tableSuffix: " ENGINE=InnoDB DEFAULT CHARSET=utf8",
  },
  sqlite: {
    type: (type) => sqliteTypes[type] ?? type.toUpperCase(),
    idSuffix: "",
    indexesInside: false,
    flagsAreNumbers: true,
    tableSuffix: "",
  },
  postgresql: {
    type: (type) => postgresqlTypes[type] ?? type,
    idSuffix: "",
    indexesInside: false,
    flagsAreNumbers: false,
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
    const isCounted = type === "id" || type === "bigid";
    assert(!isCounted || need === "required", `${table.name}.${name}: a counted id is required`);
    const suffix = isCounted ? style.idSuffix : "";
    const fallback = defaultSql === undefined ? "" : ` DEFAULT ${defaultOf(type, defaultSql, style)}`;
    return `${name} ${style.type(type)}${need === "required" ? " NOT NULL" : ""}${fallback}${suffix}`;
  });
  parts.push(`PRIMARY KEY (${table.primaryKey.join(", ")})`);
  for (const [name, ...columns] of table.uniques ?? []) parts.push(`CONSTRAINT ${name} UNIQUE (${columns.join(", ")})`);
  const indexes = table.indexes ?? [];
  if (style.indexesInside) for (const [name, ...columns] of indexes) parts.push(`KEY ${name} (${columns.join(", ")})`);
  for (const [column, other, target = "id"] of table.references ?? [])
    parts.push(`FOREIGN KEY (${column}) REFERENCES ${other} (${target})`);
  if (style.flagsAreNumbers)
    for (const [name, type] of table.columns) if (type === "flag") parts.push(`CHECK (${name} IN (0, 1))`);
  const guard = options.ifNotExists ? "IF NOT EXISTS " : "";
  const create = `CREATE TABLE ${guard}${table.name} (\n  ${parts.join(",\n  ")}\n)${style.tableSuffix}`;
  if (style.indexesInside) return [create];
  return [
    create,
    ...indexes.map(([name, ...columns]) => `CREATE INDEX ${guard}${name} ON ${table.name} (${columns.join(", ")})`),
  ];
}

/** The table, as the changes of a step. */
export function createTableChanges(table: TableDefinition): Changes {
  const create = (dialect: Dialect["name"]) => () =>
    createTableSql(table, dialect).map((sql) => ({ do: "statement", kind: "table", table: table.name, sql }) as const);
  return { mysql: create("mysql"), sqlite: create("sqlite"), postgresql: create("postgresql") };
}

function defaultOf(type: ColumnType, defaultSql: string, style: Style): string {
  return type === "flag" && !style.flagsAreNumbers ? String(defaultSql === "1") : defaultSql;
}
