// The cache of one node: copies of images in a folder that all its processes share, and an index of when they were read. Copies appear whole
// or not at all; who reads one keeps it to the end, even if it is pruned meanwhile; and a cache that fails is a cache that has nothing.
import type { Readable } from "node:stream";
import type { Clock } from "../core/clock.ts";
import { errorText, isServiceError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { CacheableImage, ImageCache } from "../images/ports.ts";
import type { Store } from "../stores/store.ts";
import { StoreFill } from "./cache-fill.ts";
import { type CacheFolder, isImageId, renewMs } from "./cache-folder.ts";
import type { CacheIndex, CacheRow } from "./cache-index.ts";

export type FileCacheDeps = {
  readonly folder: CacheFolder;
  /** Keeps its files in the same folder, and unfinished ones in `incomplete`. */
  readonly store: Store;
  readonly index: CacheIndex;
  readonly bytesMax: number;
  readonly stallSeconds: number;
  readonly logger: Logger;
  readonly clock: Clock;
};

export type Pruned = { readonly files: number; readonly bytes: number };

export class FileCache implements ImageCache {
  readonly folder: CacheFolder;
  readonly #deps: FileCacheDeps;
  /** What has to be over before the index may close. */
  readonly #work = new Set<Promise<void>>();
  readonly #fills = new Set<StoreFill>();
  #closed = false;

  constructor(deps: FileCacheDeps) {
    this.#deps = deps;
    this.folder = deps.folder;
  }

  async open(image: CacheableImage, options: { signal: AbortSignal }): Promise<Readable | undefined> {
    const { store, index, clock, logger } = this.#deps;
    const url = store.locationFor(image.id);
    try {
      const sizeBytes = await store.size(url);
      const row = await index.find(image.id);
      if (!isCopyOf(image, sizeBytes, row)) {
        await this.drop(image.id);
        return undefined;
      }
      if (!row) await index.record({ imageId: image.id, sizeBytes, checksum: null, atMs: clock.nowMs() });
      const stream = await store.open(url, { signal: options.signal, range: { start: 0, end: sizeBytes - 1 } });
      this.#detached(index.hit(image.id, clock.nowMs()));
      return stream;
    } catch (error) {
      options.signal.throwIfAborted();
      if (!isServiceError(error, "stores.blob_not_found"))
        logger.warn({ imageId: image.id, error: errorText(error) }, "a cached copy cannot be read; the store is asked");
      return undefined;
    }
  }

  /** Whether there can be a copy of it. */
  takes(image: CacheableImage): image is CacheableImage & { readonly sizeBytes: number } {
    const { status, sizeBytes } = image;
    return status === "active" && sizeBytes !== null && sizeBytes > 0 && sizeBytes <= this.#deps.bytesMax;
  }

  async fill(image: CacheableImage): Promise<StoreFill | undefined> {
    const { clock, logger, store, index } = this.#deps;
    if (this.#closed || !this.takes(image)) return undefined;
    const { id, sizeBytes, checksum } = image;
    try {
      if (!(await this.folder.claim(id, clock.nowMs()))) return undefined;
    } catch (error) {
      logger.warn({ imageId: id, error: errorText(error) }, "the cache's folder cannot be written");
      return undefined;
    }
    // Known before it is there: a process that dies between leaves a row without a file, which is found and dropped.
    const onVerified = () => index.record({ imageId: id, sizeBytes, checksum, atMs: clock.nowMs() });
    const fill = new StoreFill({ image, store, onVerified });
    this.#fills.add(fill);
    this.#detached(this.#follow(id, fill));
    return fill;
  }

  async evict(imageId: string): Promise<void> {
    try {
      await this.folder.dequeue(imageId);
      await this.drop(imageId);
    } catch (error) {
      const facts = { imageId, error: errorText(error) };
      this.#deps.logger.warn(facts, "a cached copy could not be removed; it goes when the cache is full");
    }
  }

  /** Removes the copy and what was written of it so far, also from under a process that fills. False where there was none. Throws what the folder says. */
  async drop(imageId: string): Promise<boolean> {
    const { store, index } = this.#deps;
    if (!isImageId(imageId)) return false;
    const copied = await this.has(imageId);
    await this.folder.abandon(imageId);
    await store.remove(store.locationFor(imageId));
    await index.remove(imageId);
    return copied;
  }

  async has(imageId: string): Promise<boolean> {
    const { store } = this.#deps;
    try {
      await store.size(store.locationFor(imageId));
      return true;
    } catch (error) {
      if (isServiceError(error, "stores.blob_not_found")) return false;
      throw error;
    }
  }

  /** The copies that are there, after index and folder were brought together. */
  async list(): Promise<readonly CacheRow[]> {
    const { index } = this.#deps;
    const [files, rows, claimed] = [await this.folder.files(), await index.list(), await this.folder.claimed()];
    const known = new Map(rows.map((row) => [row.imageId, row]));
    const present = new Set(files.map(({ imageId }) => imageId));
    // A copy that is just being named is in one of the two already.
    for (const { imageId } of rows) if (!present.has(imageId) && !claimed.has(imageId)) await index.remove(imageId);
    const list: CacheRow[] = [];
    for (const { imageId, sizeBytes, modifiedMs } of files) {
      const row = known.get(imageId);
      if (row) list.push({ ...row, sizeBytes });
      else if (!claimed.has(imageId)) {
        await index.record({ imageId, sizeBytes, checksum: null, atMs: modifiedMs });
        const found = await index.find(imageId);
        if (found) list.push(found);
      }
    }
    return list;
  }

  /** Removes what was not read for the longest time until the rest fits image_cache_max_size. Safe in several processes at once. */
  async prune(): Promise<Pruned> {
    const rows = [...(await this.list())].sort((one, other) => one.lastAccessedMs - other.lastAccessedMs);
    let heldBytes = rows.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const pruned = { files: 0, bytes: 0 };
    for (const { imageId, sizeBytes } of rows) {
      if (heldBytes <= this.#deps.bytesMax) break;
      await this.drop(imageId);
      heldBytes -= sizeBytes;
      pruned.files += 1;
      pruned.bytes += sizeBytes;
    }
    return pruned;
  }

  /** Removes unfinished and invalid copies that nobody has touched for image_cache_stall_time; how many files. */
  clean(): Promise<number> {
    return this.folder.removeStalled(this.#deps.stallSeconds * 1000, this.#deps.clock.nowMs());
  }

  /** Resolves when nothing is under way beside downloads. */
  async idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  /** Breaks fills off whose download has not ended, and waits for the others. Safe to call twice. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const fill of this.#fills) fill.abort();
    await this.idle();
    await this.#deps.index.close();
    await this.#deps.store.close();
  }

  async #follow(imageId: string, fill: StoreFill): Promise<void> {
    const { logger, index } = this.#deps;
    const timer = setInterval(() => void this.folder.renew(imageId).catch(() => undefined), renewMs).unref();
    try {
      if (await fill.done) {
        await this.folder.dequeue(imageId);
        const { files, bytes } = await this.prune();
        if (files > 0) logger.info({ files, bytes }, "the cache was full: what was not read for longest is gone");
        return;
      }
      const { failure } = fill;
      if (!fill.abandoned && !isServiceError(failure, "stores.blob_exists"))
        logger.warn({ imageId, error: errorText(failure) }, "an image was not cached");
      if (!(await this.has(imageId))) await index.remove(imageId);
    } finally {
      clearInterval(timer);
      this.#fills.delete(fill);
      await this.folder.release(imageId);
    }
  }

  /** A failure beside a download is nobody's answer. */
  #detached(work: Promise<void>): void {
    const settled: Promise<void> = work
      .catch((error: unknown) => {
        this.#deps.logger.warn({ error: errorText(error) }, "keeping the image cache failed");
      })
      .then(() => {
        this.#work.delete(settled);
      });
    this.#work.add(settled);
  }
}

/** The data of an image can change: a client may take its locations away and upload anew. */
function isCopyOf(image: CacheableImage, sizeBytes: number, row: CacheRow | undefined): boolean {
  if (sizeBytes !== image.sizeBytes) return false;
  return row === undefined || row.checksum === null || row.checksum === image.checksum;
}
