// Expand steps that most releases consist of: a column more, an index more.
import { addColumn, addIndex, dropColumn, dropIndex } from "./changes.ts";
import { columnDifference, indexDifference } from "./definitions.ts";
import type { ExpandStep, PerDialect } from "./step.ts";

/** `type` as in `addColumn` of changes.ts. */
export function columnStep(table: string, name: string, type: PerDialect<string>): ExpandStep {
  return {
    name: `add column ${table}.${name}`,
    isApplied: (schema) => schema.hasColumn(table, name),
    isReverted: (schema) => !schema.hasColumn(table, name),
    changes: addColumn(table, name, type),
    revert: dropColumn(table, name),
    difference: (schema, dialect) => columnDifference(schema, table, name, type[dialect]),
  };
}

/** A nullable column for text of at most `length` characters. */
export function textColumnStep(table: string, name: string, length: number): ExpandStep {
  const type = `varchar(${length})`;
  return columnStep(table, name, { mysql: `${type} NULL`, sqlite: type.toUpperCase(), postgresql: type });
}

export function indexStep(table: string, name: string, columns: readonly string[]): ExpandStep {
  return {
    name: `add index ${name} on ${table}`,
    isApplied: (schema) => schema.hasIndex(table, name),
    isReverted: (schema) => !schema.hasIndex(table, name),
    changes: addIndex(table, name, columns),
    revert: dropIndex(table, name),
    difference: (schema) => indexDifference(schema, table, name, columns),
  };
}
