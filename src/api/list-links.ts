// The links of a page: the query is given back whole, repeated parameters too, so that the next page is of the same list.
import { formatQuery, type QueryPairs } from "./query-string.ts";

/** `next` is null on the last page. */
export function pageLinks(
  path: string,
  pairs: QueryPairs,
  nextMarker: string | null,
): { first: string; next: string | null } {
  const kept = pairs.some(([name]) => name === "marker") ? pairs.filter(([name]) => name !== "marker") : pairs;
  const query = formatQuery(kept);
  return {
    first: query === "" ? path : `${path}?${query}`,
    next:
      nextMarker === null ? null : `${path}?${query === "" ? "" : `${query}&`}${formatQuery([["marker", nextMarker]])}`,
  };
}
