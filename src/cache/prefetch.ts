// Fetches into the cache what was queued for it, one image after the other, as fast as store and disk allow. Several processes of a node may do
// so at once: each image is fetched by the one that claims it, and stays queued until it is there.
import { errorText, isServiceError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { openData } from "../images/download.ts";
import type { ImageRepository } from "../images/ports.ts";
import type { StoreRegistry } from "../stores/registry.ts";
import type { FileCache } from "./file-cache.ts";

export type PrefetchDeps = {
  readonly cache: FileCache;
  readonly images: Pick<ImageRepository, "find">;
  readonly stores: StoreRegistry;
  readonly logger: Logger;
};

export type Prefetched = {
  /** Are in the cache now. */
  readonly fetched: readonly string[];
  /** Stay queued: the store or the cache failed, or another process fetches them. */
  readonly waiting: readonly string[];
  /** There is nothing to fetch of them (any more): gone, without data, in a store this node has not, or in the cache already. */
  readonly dropped: readonly string[];
};

/** Goes once through the queue. Throws the signal's reason; what the database says. */
export async function prefetchQueued(deps: PrefetchDeps, signal: AbortSignal): Promise<Prefetched> {
  const outcome = { fetched: [] as string[], waiting: [] as string[], dropped: [] as string[] };
  for (const imageId of await deps.cache.folder.queued()) {
    signal.throwIfAborted();
    outcome[await prefetch(deps, imageId, signal)].push(imageId);
  }
  return outcome;
}

async function prefetch(
  { cache, images, stores, logger }: PrefetchDeps,
  imageId: string,
  signal: AbortSignal,
): Promise<keyof Prefetched> {
  const image = await images.find(imageId, { projectId: null, isAdmin: true });
  if (!image || !cache.takes(image) || (await cache.has(imageId))) {
    await cache.folder.dequeue(imageId);
    return "dropped";
  }
  const fill = await cache.fill(image);
  if (!fill) return "waiting";
  try {
    const { data } = await openData({ stores, logger }, image, { signal });
    for await (const chunk of data as AsyncIterable<Buffer>) {
      await fill.add(chunk);
      if (fill.over) break;
    }
    fill.end();
  } catch (error) {
    fill.abort();
    signal.throwIfAborted();
    if (!isServiceError(error)) throw error;
    logger.warn({ imageId, error: errorText(error) }, "an image queued for the cache cannot be read");
    // Nor can it be later, as long as this node is configured as it is.
    if (isServiceError(error, "stores.foreign")) {
      // What was begun of it is put away before, so that nothing of this image is left to do here.
      await fill.done;
      await cache.folder.dequeue(imageId);
      return "dropped";
    }
  }
  return (await fill.done) ? "fetched" : "waiting";
}
