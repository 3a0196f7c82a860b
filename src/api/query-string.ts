// Query strings as ordered pairs, because parameters may repeat and links must give all of them back.
import { ServiceError } from "../core/errors.ts";

export type QueryPairs = readonly (readonly [name: string, value: string])[];

/** More would be refused by the database as too many joins, long after it began to cost. */
const pairsMax = 200;

/** `text` is what follows the `?`. Throws api.bad_request where it is not UTF-8. */
export function parseQuery(text: string): QueryPairs {
  if (text === "") return [];
  const pairs: (readonly [string, string])[] = [];
  for (const part of text.split("&")) {
    if (part === "") continue;
    if (pairs.length === pairsMax)
      throw new ServiceError("api.bad_request", `More than ${pairsMax} query parameters.`, { facts: { pairsMax } });
    const at = part.indexOf("=");
    pairs.push(at === -1 ? [decode(part), ""] : [decode(part.slice(0, at)), decode(part.slice(at + 1))]);
  }
  return pairs;
}

/** A `%` that begins no escape stands for itself, as lenient clients expect. */
function decode(text: string): string {
  if (!/[%+]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " ").replace(/%(?![0-9a-f]{2})/gi, "%25"));
  } catch (cause) {
    throw new ServiceError("api.bad_request", "The query string holds bytes that are not UTF-8.", { cause });
  }
}

/** The reverse, without the `?`. */
export function formatQuery(pairs: QueryPairs): string {
  return pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
}

function encode(text: string): string {
  if (/^[\w.~-]*$/.test(text)) return text;
  // Lone surrogates cannot have come out of UTF-8, but encodeURIComponent would throw at them.
  return encodeURIComponent(text.toWellFormed())
    .replaceAll("%20", "+")
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
