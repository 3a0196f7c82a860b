// Query parameters of lists of metadata definitions. Of a parameter that is given twice the last one counts, and unknown ones mean nothing.
import { isStorable } from "../core/storable-text.ts";
import { invalid } from "../metadefs/failures.ts";
import { namespaceSortKeys, type Paging, type TagSortKey, tagSortKeys } from "../metadefs/ports.ts";
import type { ListNamespacesRequest } from "../metadefs/services.ts";
import type { QueryPairs } from "./query-string.ts";

/** Names to look for; more than anybody has. */
const resourceTypesMax = 200;

/** Throws metadefs.invalid. */
export function parseNamespaceQuery(pairs: QueryPairs): ListNamespacesRequest {
  const given = new Map(pairs);
  const visibility = given.get("visibility") || undefined;
  if (visibility !== undefined && visibility !== "public" && visibility !== "private")
    throw invalid('"visibility" must be public or private.');
  const types = given.get("resource_types")?.split(",");
  if (types && types.length > resourceTypesMax)
    throw invalid(`"resource_types" has more than ${resourceTypesMax} names.`);
  return {
    ...pagingOf(given, namespaceSortKeys),
    ...(visibility === undefined ? {} : { visibility }),
    // None has a name that no column holds.
    ...(types === undefined ? {} : { resourceTypes: types.filter(isStorable) }),
  };
}

/** Throws metadefs.invalid. */
export function parseTagQuery(pairs: QueryPairs): Paging<TagSortKey> {
  return pagingOf(new Map(pairs), tagSortKeys);
}

/** Lists of objects are whole; their parameters are checked all the same. Throws metadefs.invalid. */
export function checkObjectQuery(pairs: QueryPairs): void {
  const given = new Map(pairs);
  const { limit } = pagingOf(given, tagSortKeys);
  if (limit === 0) throw invalid('"limit" must be positive.');
}

function pagingOf<Key extends string>(
  given: ReadonlyMap<string, string>,
  keys: readonly Key[],
): Paging<Key | "created_at"> {
  const key = given.get("sort_key") ?? "created_at";
  const sortKey = key === "created_at" ? key : keys.find((one) => one === key);
  if (sortKey === undefined) throw invalid(`"sort_key" must be one of ${keys.join(", ")}.`);
  const direction = given.get("sort_dir") ?? "desc";
  if (direction !== "asc" && direction !== "desc") throw invalid('"sort_dir" must be asc or desc.');
  const marker = given.get("marker") || undefined;
  return {
    sortKey,
    direction,
    limit: limitOf(given.get("limit")),
    ...(marker === undefined ? {} : { marker }),
  };
}

function limitOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^\s*\+?\d{1,15}\s*$/.test(text)) throw invalid('"limit" must be a whole number, and not negative.');
  return Number(text);
}
