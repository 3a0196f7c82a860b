// Our own indexes on Glance's tables, for lists that cost the same at any size. They exist wherever their columns do, so a phase
// that adds or drops a column brings or takes some of them; they carry the prefix perennial_, which the reference ignores.
import { type ListIndex, listIndexes } from "../repositories/list-indexes.ts";
import { addIndex, dropIndex } from "./changes.ts";
import type { LiveSchema } from "./live-schema.ts";
import type { Walk } from "./run-steps.ts";

const prefix = "perennial_";

const same = (one: readonly string[] | undefined, other: readonly string[]) => one?.join() === other.join();

export type TableColumn = readonly [table: string, column: string];

/**
 * Steps that make the indexes what they should be now: those of older versions of this package go, those that can exist come.
 * `later`: columns whose rows are about to be filled. An index on one is built once afterwards, instead of row by row.
 * `coming`: columns that are taken to exist already, for a plan.
 */
export function indexSteps(
  schema: LiveSchema,
  options: { later?: readonly TableColumn[]; coming?: readonly TableColumn[] } = {},
): readonly Walk[] {
  const isIn = (columns: readonly TableColumn[] = [], index: ListIndex, column: string) =>
    columns.some(([table, name]) => table === index.table && name === column);
  const wanted = listIndexes.filter((index) =>
    index.columns.every((column) => schema.hasColumn(index.table, column) || isIn(options.coming, index, column)),
  );
  const missing = wanted.filter(
    (index) =>
      !schema.hasIndex(index.table, index.name) && !index.columns.some((column) => isIn(options.later, index, column)),
  );
  const stale = liveIndexes(schema).filter(
    (live) =>
      !wanted.some(
        (index) => index.name === live.name && index.table === live.table && same(live.columns, index.columns),
      ),
  );
  return [...missing.map(creation), ...stale.map(({ table, name }) => removal(table, name))];
}

/** Steps that take away those of our indexes which hold the column, so that it can be dropped. */
export function indexRemovals(schema: LiveSchema, table: string, column: string): readonly Walk[] {
  return liveIndexes(schema)
    .filter((live) => live.table === table && live.columns.includes(column))
    .map((live) => removal(live.table, live.name));
}

function liveIndexes(schema: LiveSchema): readonly { table: string; name: string; columns: readonly string[] }[] {
  return schema.tableNames
    .filter((table) => !table.startsWith(prefix))
    .flatMap((table) => [...(schema.table(table)?.indexes ?? [])].map(([name, columns]) => ({ table, name, columns })))
    .filter((index) => index.name.startsWith(prefix));
}

function creation(index: { table: string; name: string; columns: readonly string[] }): Walk {
  return {
    name: `add index ${index.name} on ${index.table}`,
    isDone: (schema) => schema.hasIndex(index.table, index.name),
    changes: addIndex(index.table, index.name, index.columns),
  };
}

function removal(table: string, name: string): Walk {
  return {
    name: `drop index ${name} on ${table}`,
    isDone: (schema) => !schema.hasIndex(table, name),
    changes: dropIndex(table, name),
  };
}
