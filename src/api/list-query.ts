// GET /v2/images?...: query parameters to the domain's request. Anything that is no parameter and no column is a custom property.

import { isStorable } from "../core/storable-text.ts";
import type { MemberStatus } from "../images/image.ts";
import type { FilterColumn, ImageFilter, NumberColumn, SortDirection, SortKey } from "../images/ports.ts";
import type { ListImagesRequest } from "../images/services.ts";
import type { Capabilities } from "../releases/capabilities.ts";
import { badQuery, parseEquality, parseTimeFilter } from "./filter-values.ts";
import type { QueryPairs } from "./query-string.ts";

const sortKeys: readonly SortKey[] = [
  "name",
  "status",
  "container_format",
  "disk_format",
  "size",
  "id",
  "created_at",
  "updated_at",
];
const memberStatuses: readonly (MemberStatus | "all")[] = ["pending", "accepted", "rejected", "all"];
const listColumns: readonly FilterColumn[] = ["name", "id", "status", "container_format", "disk_format"];
const textColumns: readonly FilterColumn[] = ["owner", "checksum"];
const hashColumns: readonly FilterColumn[] = ["os_hash_algo", "os_hash_value"];
const numberColumns: readonly NumberColumn[] = ["size", "virtual_size", "min_disk", "min_ram"];
/** Attributes of an image that are no values to compare with; the reference fails on them. */
const notFilters: readonly string[] = ["locations", "members", "properties", "tags"];
/** `deleted` is accepted and has no effect: deleted images are never shown. */
const parameters: readonly string[] = ["limit", "marker", "sort", "visibility", "member_status", "deleted"];
/** Each tag and property is a join; databases allow some 60. */
const joinsMax = 40;

/** Throws images.bad_query. */
export function parseListQuery(pairs: QueryPairs, capabilities: Capabilities): ListImagesRequest {
  const single = new Map<string, string>();
  const repeated: Record<"tag" | "sort_key" | "sort_dir", string[]> = { tag: [], sort_key: [], sort_dir: [] };
  for (const [name, value] of pairs) {
    if (!isStorable(name) || !isStorable(value))
      throw badQuery("", "No image has characters beyond Unicode's basic plane, so none can be found by them.");
    if (name === "tag" || name === "sort_key" || name === "sort_dir") repeated[name].push(value);
    // Of other parameters the last one counts.
    else single.set(name, value);
  }
  const filters: ImageFilter[] = repeated.tag.map((tag) => ({ kind: "tag", tag }));
  for (const [name, value] of single) {
    if (parameters.includes(name) || (capabilities.hiding && name === "os_hidden")) continue;
    filters.push(filterOf(name, value, capabilities));
  }
  const joins = filters.filter((filter) => filter.kind === "tag" || filter.kind === "property").length;
  if (joins > joinsMax) throw badQuery("tag", `More than ${joinsMax} filters on tags and custom properties.`);
  const marker = single.get("marker");
  const visibility = visibilityOf(single.get("visibility"), capabilities);
  const hidden = capabilities.hiding ? single.get("os_hidden") : undefined;
  return {
    filters,
    ...(visibility === undefined ? {} : { visibility }),
    // In any case: the openstack CLI writes True.
    ...(hidden === undefined ? {} : { hidden: booleanOf("os_hidden", hidden.toLowerCase()) }),
    memberStatus: memberStatusOf(single.get("member_status")),
    ...sortOf(single.get("sort"), repeated.sort_key, repeated.sort_dir),
    ...(marker === undefined ? {} : { marker }),
    limit: limitOf(single.get("limit")),
  };
}

/** What a later release made a column of is at this one a custom property like any other. */
function filterOf(name: string, value: string, capabilities: Capabilities): ImageFilter {
  if (name === "changes-since")
    throw badQuery(name, 'Version 2 has no filter "changes-since"; use updated_at=gte:TIME.');
  if (notFilters.includes(name)) throw badQuery(name, `Images cannot be filtered by "${name}".`);
  if (name === "created_at" || name === "updated_at")
    return { kind: "time", column: name, ...parseTimeFilter(name, value) };
  if (name === "protected") return { kind: "column", column: name, values: [booleanOf(name, value)] };
  const listColumn = listColumns.find((column) => column === name);
  if (listColumn) return { kind: "column", column: listColumn, values: parseEquality(name, value) };
  const textColumn = textColumnsOf(capabilities).find((column) => column === name);
  if (textColumn) return { kind: "column", column: textColumn, values: [value] };
  const numberColumn = numberColumns.find((column) => column === name);
  if (numberColumn) return { kind: "column", column: numberColumn, values: [integerOf(name, value)] };
  const [, base = "", bound] = /^(.+)_(min|max)$/.exec(name) ?? [];
  const boundColumn = numberColumns.find((column) => column === base);
  if (boundColumn && (bound === "min" || bound === "max"))
    return { kind: "bound", column: boundColumn, bound, value: integerOf(name, value) };
  if (bound && (otherColumnsOf(capabilities).includes(base) || notFilters.includes(base)))
    throw badQuery(name, `Images cannot be filtered by "${name}": ${base} is not a number.`);
  return { kind: "property", name, value };
}

function textColumnsOf({ multihash }: Capabilities): readonly FilterColumn[] {
  return multihash ? [...textColumns, ...hashColumns] : textColumns;
}

function otherColumnsOf(capabilities: Capabilities): readonly string[] {
  const flags = capabilities.hiding ? ["protected", "os_hidden"] : ["protected"];
  return [...listColumns, ...textColumnsOf(capabilities), ...flags, "created_at", "updated_at"];
}

function integerOf(name: string, text: string): number {
  const value = /^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw badQuery(name, `"${name}" must be a whole number.`);
  // Beyond this no image's number can be, and doubles are not exact.
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(value, Number.MAX_SAFE_INTEGER));
}

function booleanOf(name: string, text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw badQuery(name, `"${name}" must be true or false.`);
}

function limitOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const limit = integerOf("limit", text);
  if (limit < 0) throw badQuery("limit", '"limit" must not be negative.');
  return limit;
}

function visibilityOf(text: string | undefined, capabilities: Capabilities): ListImagesRequest["visibility"] {
  if (text === undefined) return undefined;
  const visibility = capabilities.visibilityFilters.find((one) => one === text);
  if (visibility) return visibility;
  throw badQuery("visibility", `"visibility" must be one of ${capabilities.visibilityFilters.join(", ")}.`);
}

function memberStatusOf(text: string | undefined): MemberStatus | "all" {
  if (text === undefined) return "accepted";
  const status = memberStatuses.find((one) => one === text);
  if (status) return status;
  throw badQuery("member_status", `"member_status" must be one of ${memberStatuses.join(", ")}.`);
}

type Sort = Pick<ListImagesRequest, "sort" | "tieDirection">;

/** Either `sort=name:asc,size`, or sort_key with sort_dir: one direction for all keys, or one for each. */
function sortOf(sort: string | undefined, keys: readonly string[], directions: readonly string[]): Sort {
  if (sort !== undefined) {
    if (keys.length > 0 || directions.length > 0)
      throw badQuery("sort", '"sort" cannot be combined with "sort_key" and "sort_dir".');
    const terms = sort.split(",").map((term) => {
      const [key = "", ...direction] = term.trim().split(":");
      return { key: sortKeyOf(key), direction: direction.length === 0 ? "desc" : directionOf(direction.join(":")) };
    });
    return { sort: terms };
  }
  const parsed = directions.map(directionOf);
  const [only] = parsed;
  if (keys.length === 0 && parsed.length <= 1)
    return { sort: [], ...(only === undefined ? {} : { tieDirection: only }) };
  if (parsed.length > 1 && parsed.length !== keys.length)
    throw badQuery("sort_dir", "There must be one sort_dir, or as many as there are sort_key.");
  const terms = keys.map((key, at) => ({ key: sortKeyOf(key), direction: parsed[at] ?? only ?? "desc" }));
  return { sort: terms, ...(parsed.length === 1 && only !== undefined ? { tieDirection: only } : {}) };
}

function sortKeyOf(text: string): SortKey {
  const key = sortKeys.find((one) => one === text);
  if (key) return key;
  throw badQuery("sort_key", `Images cannot be sorted by "${text}"; there are ${sortKeys.join(", ")}.`);
}

function directionOf(text: string): SortDirection {
  if (text === "asc" || text === "desc") return text;
  throw badQuery("sort_dir", `"${text}" is no sort direction; there are asc and desc.`);
}
