// GET /v2/tasks?...: query parameters to the domain's request. Parameters nobody knows have no effect, as in the reference.
import { type TaskSortKey, type TaskStatus, taskSortKeys } from "../images/tasks/task.ts";
import type { ListTasksRequest } from "../images/tasks/task-service.ts";
import { badQuery } from "./filter-values.ts";
import type { QueryPairs } from "./query-string.ts";

const statuses: readonly TaskStatus[] = ["pending", "processing", "success", "failure"];
/** Tasks of other types are listed too, but are not asked for by it. */
const types: readonly string[] = ["import"];
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Throws images.bad_query. Of a parameter that stands twice the last one counts. */
export function parseTaskQuery(pairs: QueryPairs): ListTasksRequest {
  const given = new Map(pairs);
  const status = oneOf("status", given.get("status"), statuses);
  const type = oneOf("type", given.get("type"), types);
  const key = oneOf<TaskSortKey>("sort_key", given.get("sort_key"), taskSortKeys) ?? "created_at";
  const direction = oneOf("sort_dir", given.get("sort_dir"), ["asc", "desc"] as const) ?? "desc";
  const marker = given.get("marker");
  if (marker !== undefined && !uuid.test(marker)) throw badQuery("marker", '"marker" must be the id of a task.');
  return {
    ...(status === undefined ? {} : { status }),
    ...(type === undefined ? {} : { type }),
    sort: { key, direction },
    ...(marker === undefined ? {} : { marker }),
    limit: limitOf(given.get("limit")),
  };
}

function oneOf<T extends string>(name: string, text: string | undefined, known: readonly T[]): T | undefined {
  if (text === undefined) return undefined;
  const found = known.find((one) => one === text);
  if (found !== undefined) return found;
  throw badQuery(name, `"${name}" must be one of ${known.join(", ")}.`);
}

function limitOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^\s*\+?\d+\s*$/.test(text)) return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
  throw badQuery("limit", '"limit" must be a whole number that is not negative.');
}
