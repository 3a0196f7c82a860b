// Our own indexes on Glance's tables, for lists that cost the same at any size. They exist for every release whose nodes may run on the
// database, so a phase brings or takes some of them; they carry the prefix perennial_, which the reference ignores.
import { releases } from "../../releases/catalogue.ts";
import { indexesOf, type ListIndex } from "../repositories/list-indexes.ts";
import { addIndex, dropIndex } from "./changes.ts";
import type { LiveSchema } from "./live-schema.ts";
import type { Standing } from "./revisions.ts";
import type { Walk } from "./run-steps.ts";

const prefix = "perennial_";

const same = (one: readonly string[] | undefined, other: readonly string[]) => one?.join() === other.join();

export type TableColumn = readonly [table: string, column: string];

export type Levels = Pick<Standing, "contractLevel" | "expandLevel">;

/** Nodes run as any release from the contracted one to the expanded one. */
function wantedIndexes({ contractLevel, expandLevel }: Levels): readonly ListIndex[] {
  const running = releases.filter(({ level }) => level >= Math.max(contractLevel, 0) && level <= expandLevel);
  const wanted = new Map<string, ListIndex>();
  for (const { capabilities } of running) for (const index of indexesOf(capabilities)) wanted.set(index.name, index);
  return [...wanted.values()];
}

/**
 * Steps that make the indexes what they should be between these levels: those that nobody asks for any more go, those that can exist come.
 * `later`: columns whose rows are about to be filled. An index on one is built once afterwards, instead of row by row.
 * `coming`: columns that are taken to exist already, for a plan.
 */
export function indexSteps(
  schema: LiveSchema,
  levels: Levels,
  options: { later?: readonly TableColumn[]; coming?: readonly TableColumn[] } = {},
): readonly Walk[] {
  const isIn = (columns: readonly TableColumn[] = [], index: ListIndex, column: string) =>
    columns.some(([table, name]) => table === index.table && name === column);
  const wanted = wantedIndexes(levels).filter((index) =>
    index.columns.every((column) => schema.hasColumn(index.table, column) || isIn(options.coming, index, column)),
  );
  const live = liveIndexes(schema);
  const missing = wanted.filter(
    (index) =>
      !live.some((one) => isSame(one, index)) && !index.columns.some((column) => isIn(options.later, index, column)),
  );
  const stale = live.filter((one) => !wanted.some((index) => isSame(one, index)));
  const unfinished = unfinishedIndexes(schema).filter((left) => !wanted.some((index) => index.name === left.name));
  // An index of an earlier version of this package may have the name of one that is to come.
  const [first, last] = [stale.filter(hasNameOf(missing)), stale.filter((one) => !hasNameOf(missing)(one))];
  return [
    ...first.map(({ table, name }) => removal(table, name)),
    ...missing.map(creation),
    ...[...last, ...unfinished].map(({ table, name }) => removal(table, name)),
  ];
}

/** Steps that take away those of our indexes which hold the column, so that it can be dropped. */
export function indexRemovals(schema: LiveSchema, table: string, column: string): readonly Walk[] {
  return liveIndexes(schema)
    .filter((live) => live.table === table && live.columns.includes(column))
    .map((live) => removal(live.table, live.name));
}

type LiveIndex = { readonly table: string; readonly name: string; readonly columns: readonly string[] };

/** What a killed removal left. One that is wanted is replaced when it is built. */
function unfinishedIndexes(schema: LiveSchema): readonly { table: string; name: string }[] {
  return schema.tableNames
    .flatMap((table) => (schema.table(table)?.unfinishedIndexes ?? []).map((name) => ({ table, name })))
    .filter((index) => index.name.startsWith(prefix));
}

function liveIndexes(schema: LiveSchema): readonly LiveIndex[] {
  return schema.tableNames
    .filter((table) => !table.startsWith(prefix))
    .flatMap((table) => [...(schema.table(table)?.indexes ?? [])].map(([name, columns]) => ({ table, name, columns })))
    .filter((index) => index.name.startsWith(prefix));
}

function isSame(live: LiveIndex, index: ListIndex): boolean {
  return live.name === index.name && live.table === index.table && same(live.columns, index.columns);
}

function hasNameOf(indexes: readonly ListIndex[]): (live: LiveIndex) => boolean {
  return (live) => indexes.some((index) => index.name === live.name);
}

function creation(index: LiveIndex): Walk {
  return {
    name: `add index ${index.name} on ${index.table}`,
    isDone: (schema) => schema.hasIndex(index.table, index.name),
    changes: addIndex(index.table, index.name, index.columns),
  };
}

function removal(table: string, name: string): Walk {
  return {
    name: `drop index ${name} on ${table}`,
    isDone: (schema) => !schema.hasIndex(table, name) && !(schema.table(table)?.unfinishedIndexes ?? []).includes(name),
    changes: dropIndex(table, name),
  };
}
