// The cache of the node that answers: under /v2/cache (from Yoga on), and under the older paths where the pipeline has the filter for them.
import type { CacheRow } from "../../cache/cache-index.ts";
import type { CachePart } from "../../cache/cache-service.ts";
import { ServiceError } from "../../core/errors.ts";
import type { Answer } from "../answer.ts";
import { type ApiRequest, jsonAnswer, noContent, type Route, type RouteChoice, type RouteDeps } from "../route.ts";

const cacheApi: readonly Route[] = [
  { method: "GET", path: "/cache", body: "refused", handle: list },
  { method: "DELETE", path: "/cache", body: "refused", handle: clear },
  { method: "PUT", path: "/cache/:imageId", body: "refused", handle: fetchNow },
  { method: "DELETE", path: "/cache/:imageId", body: "refused", handle: remove },
];

const olderRule = "manage_image_cache";

const olderRoutes: readonly Route[] = [
  ...olderRoutesOf("/cached_images", "cache"),
  ...olderRoutesOf("/queued_images", "queue"),
  { method: "PUT", path: "/queued_images/:imageId", body: "refused", handle: queue },
];

export function cacheRoutes({
  capabilities,
  settings,
}: Pick<RouteChoice, "capabilities" | "settings">): readonly Route[] {
  return [...(capabilities.cacheApi ? cacheApi : []), ...(settings.olderCacheRoutes ? olderRoutes : [])];
}

async function list({ caller }: ApiRequest, { cache }: RouteDeps): Promise<Answer> {
  const { cached, queued } = await cache.list(caller, "cache_list");
  return jsonAnswer(200, JSON.stringify({ cached_images: cached.map(view), queued_images: queued }));
}

async function fetchNow(request: ApiRequest, { cache }: RouteDeps): Promise<Answer> {
  await cache.queue(request.caller, "cache_image", request.param("imageId"), "at once");
  return { status: 202 };
}

async function remove(request: ApiRequest, { cache }: RouteDeps): Promise<Answer> {
  await cache.remove(request.caller, "cache_delete", request.param("imageId"), ["cache", "queue"]);
  return noContent;
}

const clearTargets: Readonly<Record<string, readonly CachePart[]>> = {
  "": ["cache", "queue"],
  cache: ["cache"],
  queue: ["queue"],
};

async function clear(request: ApiRequest, { cache }: RouteDeps): Promise<Answer> {
  const target = request.header("x-image-cache-clear-target")?.trim().toLowerCase() ?? "";
  const parts = Object.hasOwn(clearTargets, target) ? clearTargets[target] : undefined;
  if (!parts)
    throw new ServiceError(
      "api.bad_request",
      `X-Image-Cache-Clear-Target is "${target}": give cache, queue or nothing.`,
    );
  await cache.clear(request.caller, "cache_delete", parts);
  return noContent;
}

async function queue(request: ApiRequest, { cache }: RouteDeps): Promise<Answer> {
  await cache.queue(request.caller, olderRule, request.param("imageId"), "soon");
  return jsonAnswer(200, "null");
}

/** What the two older collections have in common. */
function olderRoutesOf(path: string, part: CachePart): readonly Route[] {
  return [
    {
      method: "GET",
      path,
      body: "refused",
      async handle({ caller }, { cache }) {
        const { cached, queued } = await cache.list(caller, olderRule);
        return jsonAnswer(
          200,
          JSON.stringify(part === "cache" ? { cached_images: cached.map(view) } : { queued_images: queued }),
        );
      },
    },
    {
      method: "DELETE",
      path,
      body: "refused",
      async handle({ caller }, { cache }) {
        return jsonAnswer(200, JSON.stringify({ num_deleted: await cache.clear(caller, olderRule, [part]) }));
      },
    },
    {
      method: "DELETE",
      path: `${path}/:imageId`,
      body: "refused",
      async handle(request, { cache }) {
        await cache.remove(request.caller, olderRule, request.param("imageId"), [part]);
        return jsonAnswer(200, "null");
      },
    },
  ];
}

/** Times in seconds since the epoch, with a fraction. */
function view({ imageId, hits, lastAccessedMs, lastModifiedMs, sizeBytes, checksum, rowId }: CacheRow): object {
  return {
    ...(rowId === null ? {} : { id: rowId, checksum }),
    image_id: imageId,
    hits,
    last_accessed: lastAccessedMs / 1000,
    last_modified: lastModifiedMs / 1000,
    size: sizeBytes,
  };
}
