// What clients may do with the cache of the node that answers them: first the policy, then whether there is a cache at all.
import type { Caller, Policy } from "../core/caller.ts";
import { ServiceError } from "../core/errors.ts";
import { imageNotFound } from "../images/access.ts";
import type { ImageRepository } from "../images/ports.ts";
import type { CacheRow } from "./cache-index.ts";
import type { FileCache } from "./file-cache.ts";

export type CacheContent = { readonly cached: readonly CacheRow[]; readonly queued: readonly string[] };

export type CachePart = "cache" | "queue";

/** Every method throws images.forbidden where the policy's rule says no, then cache.off where this node has none. */
export interface CacheService {
  list(caller: Caller, rule: string): Promise<CacheContent>;
  /** To be fetched soon, or at once. Throws images.not_found, images.invalid where there is no data to fetch (yet). */
  queue(caller: Caller, rule: string, imageId: string, when: "soon" | "at once"): Promise<void>;
  /** Out of cache, or queue, or both. Throws images.not_found where neither this cache nor the database knows the image. */
  remove(caller: Caller, rule: string, imageId: string, parts: readonly CachePart[]): Promise<void>;
  /** How many images were taken out. */
  clear(caller: Caller, rule: string, parts: readonly CachePart[]): Promise<number>;
}

export type CacheServiceDeps = {
  /** null: this node caches nothing. */
  readonly cache: FileCache | null;
  readonly images: Pick<ImageRepository, "find">;
  readonly policy: Policy;
  /** Fetches what is queued. */
  readonly fetchSoon: () => void;
};

const anybody = { projectId: null, isAdmin: true };

export function createCacheService({ cache, images, policy, fetchSoon }: CacheServiceDeps): CacheService {
  const allowed = (caller: Caller, rule: string): FileCache => {
    if (!policy.allows(rule, caller, {}))
      throw new ServiceError("images.forbidden", `You may not manage the image cache: policy ${rule}.`);
    if (!cache) throw new ServiceError("cache.off", "Caching is not enabled on this node: image_cache_dir is not set.");
    return cache;
  };
  const find = (imageId: string) => (imageId.length <= 36 ? images.find(imageId, anybody) : undefined);

  return {
    async list(caller, rule) {
      const own = allowed(caller, rule);
      return { cached: await own.list(), queued: await own.folder.queued() };
    },

    async queue(caller, rule, imageId, when) {
      const own = allowed(caller, rule);
      const image = await find(imageId);
      if (!image) throw imageNotFound(imageId);
      if (image.status !== "active")
        throw new ServiceError(
          "images.invalid",
          `Image ${image.id} is ${image.status}: only active images are cached.`,
        );
      if (!(await own.has(image.id))) await own.folder.enqueue(image.id);
      if (when === "at once") fetchSoon();
    },

    async remove(caller, rule, imageId, parts) {
      const own = allowed(caller, rule);
      const removed = [
        parts.includes("queue") && (await own.folder.dequeue(imageId)),
        parts.includes("cache") && (await own.drop(imageId)),
      ];
      if (!removed.includes(true) && !(await find(imageId))) throw imageNotFound(imageId);
    },

    async clear(caller, rule, parts) {
      const own = allowed(caller, rule);
      let count = 0;
      if (parts.includes("cache")) for (const { imageId } of await own.list()) if (await own.drop(imageId)) count += 1;
      if (parts.includes("queue"))
        for (const imageId of await own.folder.queued()) if (await own.folder.dequeue(imageId)) count += 1;
      return count;
    },
  };
}
