// The place in a list behind which a page begins, for any order. NULL sorts lowest.
import type { SqlCondition, SqlValue } from "../database.ts";

export type KeysetTerm = { readonly column: string; readonly direction: "asc" | "desc"; readonly value: SqlValue };

/**
 * The columns of an order by one key, as the reference has it for tasks and metadata definitions: ties come by age, and so does a list by
 * `id`.
 */
export function keysOfOrder<Key extends string>(key: Key): readonly (Key | "created_at" | "id")[] {
  return key === "created_at" || key === "id" ? ["created_at", "id"] : [key, "created_at", "id"];
}

/** Rows behind the one that has these values in the columns of the order. The last column is never NULL and never twice the same. */
export function behindRow(terms: readonly KeysetTerm[]): SqlCondition {
  const params: SqlValue[] = [];
  const alternatives: string[] = [];
  terms.forEach((term, at) => {
    const past = strictlyPast(term);
    if (!past) return;
    const equal = terms.slice(0, at).map(same);
    params.push(...equal.flatMap((condition) => condition.params), ...past.params);
    alternatives.push([...equal, past].map(({ sql }) => sql).join(" and "));
  });
  return { sql: `(${alternatives.map((one) => `(${one})`).join(" or ")})`, params };
}

function strictlyPast({ column, direction, value }: KeysetTerm): SqlCondition | undefined {
  if (direction === "asc")
    return value === null ? { sql: `${column} is not null`, params: [] } : { sql: `${column} > ?`, params: [value] };
  // Downwards the NULLs come last, and nothing behind them.
  return value === null ? undefined : { sql: `(${column} < ? or ${column} is null)`, params: [value] };
}

function same({ column, value }: KeysetTerm): SqlCondition {
  return value === null ? { sql: `${column} is null`, params: [] } : { sql: `${column} = ?`, params: [value] };
}
