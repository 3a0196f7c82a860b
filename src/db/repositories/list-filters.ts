// The filters of an image list -> conditions on `images i`.

import type { Timestamp } from "../../images/image.ts";
import type { FilterColumn, ImageFilter, TimeOperator } from "../../images/ports.ts";
import type { Dialect, SqlCondition, SqlValue } from "../database.ts";
import { isLive } from "./live-row.ts";

/** Columns of 32 bits: PostgreSQL fails where they are compared with a number that does not fit. */
const narrow: ReadonlySet<FilterColumn> = new Set(["min_disk", "min_ram"]);
const narrowMax = 2_147_483_647;
const fits = (column: FilterColumn, value: number) => !narrow.has(column) || Math.abs(value) <= narrowMax;

const numbers: ReadonlySet<FilterColumn> = new Set(["size", "virtual_size", "min_disk", "min_ram", "protected"]);

/** Deleted images, and killed ones of v1 days, are in no list. */
export const listed: SqlCondition = { sql: "i.deleted = false and i.status <> 'killed'", params: [] };

/**
 * Equality where an index of ours is walked that has the column. Elsewhere not: for that servers offer Glance's index on os_hidden, which
 * holds the whole table.
 */
export function hiddenCondition(hidden: boolean, { walked }: { walked: boolean }): SqlCondition {
  const sql = walked ? `i.os_hidden = ${hidden ? "TRUE" : "FALSE"}` : `i.os_hidden <> ${hidden ? "FALSE" : "TRUE"}`;
  return { sql, params: [] };
}

export function filterCondition(filter: ImageFilter, dialect: Dialect): SqlCondition {
  switch (filter.kind) {
    case "column":
      return oneOf(filter.column, filter.values);
    case "bound":
      return beyondBound(filter);
    case "time":
      return atTime(filter.column, filter.operator, filter.value, dialect);
    case "tag":
      return {
        sql: `exists (select 1 from image_tags t where t.image_id = i.id and t.value = ? and t.${isLive})`,
        params: [filter.tag],
      };
    case "property":
      return {
        sql: `exists (select 1 from image_properties p where p.image_id = i.id and p.name = ? and p.value = ? and p.${isLive})`,
        params: [filter.name, filter.value],
      };
  }
}

function beyondBound({ column, bound, value }: Extract<ImageFilter, { kind: "bound" }>): SqlCondition {
  if (fits(column, value)) return { sql: `i.${column} ${bound === "min" ? ">=" : "<="} ?`, params: [value] };
  // No number of the column is beyond the bound, or every one is.
  return { sql: (bound === "min") === value > 0 ? "0 = 1" : `i.${column} is not null`, params: [] };
}

function oneOf(column: FilterColumn, values: readonly (string | number | boolean | null)[]): SqlCondition {
  // Compared as what the column is: a number beside a text column would be compared as numbers, without index.
  const typed = values.map(
    (value): SqlValue => (value === null ? null : numbers.has(column) ? Number(value) : String(value)),
  );
  const present = typed.filter((value) => value !== null && (typeof value !== "number" || fits(column, value)));
  const terms: string[] = [];
  if (present.length === 1) terms.push(`i.${column} = ?`);
  else if (present.length > 1) terms.push(`i.${column} in (${present.map(() => "?").join(", ")})`);
  if (typed.includes(null)) terms.push(`i.${column} is null`);
  return { sql: terms.length === 0 ? "0 = 1" : `(${terms.join(" or ")})`, params: present };
}

/** Clients see whole seconds and ask in whole seconds; a column may hold fractions (SQLite), so a second is a range. */
function atTime(column: string, operator: TimeOperator, value: Timestamp, dialect: Dialect): SqlCondition {
  const start = dialect.encodeTime(value);
  const end = dialect.encodeTime(new Date(Date.parse(value) + 1_000).toISOString());
  const within: Record<TimeOperator, { sql: string; params: SqlValue[] }> = {
    eq: { sql: `(i.${column} >= ? and i.${column} < ?)`, params: [start, end] },
    neq: { sql: `(i.${column} < ? or i.${column} >= ?)`, params: [start, end] },
    gt: { sql: `i.${column} >= ?`, params: [end] },
    gte: { sql: `i.${column} >= ?`, params: [start] },
    lt: { sql: `i.${column} < ?`, params: [start] },
    lte: { sql: `i.${column} < ?`, params: [end] },
  };
  return within[operator];
}
