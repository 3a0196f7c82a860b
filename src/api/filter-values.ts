// The small languages inside filter values: `in:a,"b,c"`, `gte:2026-01-01T00:00:00Z`.
import { ServiceError } from "../core/errors.ts";
import type { Timestamp } from "../images/image.ts";
import type { TimeOperator } from "../images/ports.ts";

/**
 * `value`, `eq:value` or `in:value,value`: the values of which one must be equal. What stands before a colon is an operator, so a
 * plain value with a colon in it is refused, as in the reference. Throws images.bad_query.
 */
export function parseEquality(name: string, text: string): readonly string[] {
  const at = text.indexOf(":");
  if (at === -1) return [text];
  const operator = text.slice(0, at);
  const operand = text.slice(at + 1);
  if (operator === "eq") return [operand];
  if (operator === "in") return splitQuoted(name, operand);
  throw badQuery(name, `Filter "${name}" has no operator "${operator}"; there are eq and in.`);
}

/** Comma-separated; double quotes keep commas, and inside them a backslash keeps the next character. */
function splitQuoted(name: string, text: string): readonly string[] {
  const values: string[] = [];
  let value = "";
  let quoted = false;
  let closed = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (quoted && char === "\\" && at + 1 < text.length) value += text.charAt(++at);
    else if (quoted && char === '"') [quoted, closed] = [false, true];
    else if (quoted) value += char;
    else if (char === ",") {
      values.push(value);
      [value, closed] = ["", false];
    } else if (closed) throw badQuery(name, `Filter "${name}": a comma must follow a closing quotation mark.`);
    else if (char === '"' && value === "") quoted = true;
    else if (char === '"')
      throw badQuery(name, `Filter "${name}": a comma must stand before an opening quotation mark.`);
    else value += char;
  }
  if (quoted) throw badQuery(name, `Filter "${name}": a quotation mark is not closed.`);
  return [...values, value];
}

const timeOperators: readonly TimeOperator[] = ["eq", "neq", "gt", "gte", "lt", "lte"];

/** `gte:TIME`, or only a time for equality. Throws images.bad_query. */
export function parseTimeFilter(name: string, text: string): { operator: TimeOperator; value: Timestamp } {
  const [, word, rest] = /^([a-z]+):(.*)$/is.exec(text) ?? [];
  const operator = word === undefined ? "eq" : timeOperators.find((one) => one === word);
  if (!operator)
    throw badQuery(name, `Filter "${name}" has no operator "${word}"; there are ${timeOperators.join(", ")}.`);
  const value = parseTime(rest ?? text);
  if (value !== null) return { operator, value };
  throw badQuery(name, `Filter "${name}" needs a time in the form of ISO 8601, such as 2026-01-31T12:00:00Z.`);
}

const iso =
  /^(\d{4})(?:-?(\d{2})(?:-?(\d{2})(?:[T ](\d{2})(?::?(\d{2})(?::?(\d{2})(?:[.,]\d+)?)?)?)?)?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?$/i;

/** No year of five digits, not even a second later, for no column holds one. */
const latestMs = Date.UTC(9999, 11, 31, 23, 59, 58);

/** The ISO 8601 forms clients use, from a year alone to an offset; UTC where none is given. Fractions of a second are cut. */
export function parseTime(text: string): Timestamp | null {
  const match = iso.exec(text.trim());
  if (!match) return null;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((part) => (part === undefined ? undefined : Number(part)));
  if (year < 1 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return null;
  const time = new Date(0);
  time.setUTCFullYear(year, month - 1, day);
  // A day the month does not have would silently become one of the next.
  if (time.getUTCDate() !== day) return null;
  time.setUTCHours(hour, minute - offsetMinutes(match[7]), second);
  if (time.getUTCFullYear() < 1 || time.getUTCFullYear() > 9999) return null;
  return `${new Date(Math.min(time.getTime(), latestMs)).toISOString().slice(0, 19)}Z`;
}

function offsetMinutes(zone: string | undefined): number {
  const [, sign, hours = "0", minutes = "0"] = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone ?? "") ?? [];
  const total = Number(hours) * 60 + Number(minutes);
  return sign === "-" ? -total : total;
}

export function badQuery(parameter: string, message: string): ServiceError {
  return new ServiceError("images.bad_query", message, { facts: { parameter } });
}
