// The order of an image list, and the place in it behind which a page begins.
import type { ImageQuery, SortKey } from "../../images/ports.ts";
import type { Dialect, SqlCondition, SqlValue } from "../database.ts";
import { behindRow } from "./keyset.ts";

export type ListOrder = ImageQuery["sort"];

/** Where NULL sorts is said of these alone: said of a key that our indexes hold, it would keep a page from being read in their order. */
const neverNull: ReadonlySet<SortKey> = new Set(["id", "created_at", "status"]);

/** `alias.key direction, ...` */
export function orderBy(order: ListOrder, alias: string, { nullsLowest }: Dialect): string {
  const term = ({ key, direction }: ListOrder[number]) =>
    `${alias}.${key} ${direction}${neverNull.has(key) ? "" : nullsLowest[direction]}`;
  return order.map(term).join(", ");
}

/** Newest or oldest first, as our indexes hold the images: read from them in order, nothing is sorted. */
export function isIndexOrder(order: ListOrder): boolean {
  const [first, second] = order;
  return (
    order.length === 2 && first?.key === "created_at" && second?.key === "id" && first.direction === second.direction
  );
}

/** Rows behind the marker, whose sort columns hold `values`. NULL sorts lowest, by orderBy. */
export function behind(order: ListOrder, values: Readonly<Record<SortKey, SqlValue>>, dialect: Dialect): SqlCondition {
  if (isIndexOrder(order)) {
    const keys = order.map(({ key }) => key);
    const operator = order[0]?.direction === "desc" ? "<" : ">";
    return dialect.beyond(
      keys.map((key) => `i.${key}`),
      operator,
      keys.map((key) => values[key]),
    );
  }
  return behindRow(order.map(({ key, direction }) => ({ column: `i.${key}`, direction, value: values[key] })));
}
