// Pages of metadata definitions: sorted by any column, ties broken by created_at and id in the same direction.
import type { Paging } from "../../metadefs/ports.ts";
import type { Dialect, SqlCondition, SqlValue } from "../database.ts";
import { behindRow, keysOfOrder } from "../repositories/keyset.ts";

type Order = Pick<Paging<string>, "sortKey" | "direction">;
const neverNull: ReadonlySet<string> = new Set(["created_at", "id"]);

/** What follows ORDER BY, for a table that is called `alias`. */
export function orderTerms(alias: string, order: Order, { nullsLowest }: Dialect): string {
  const { direction } = order;
  const nulls = (key: string) => (neverNull.has(key) ? "" : nullsLowest[direction]);
  return keysOfOrder(order.sortKey)
    .map((key) => `${alias}.${key} ${direction}${nulls(key)}`)
    .join(", ");
}

/** `marker`: a row as the database gave it. */
export function behindMarker(alias: string, order: Order, marker: Readonly<Record<string, SqlValue>>): SqlCondition {
  const { direction } = order;
  return behindRow(
    keysOfOrder(order.sortKey).map((key) => ({ column: `${alias}.${key}`, direction, value: marker[key] ?? null })),
  );
}
