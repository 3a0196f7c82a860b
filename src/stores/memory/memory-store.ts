// A store in memory, for tests: the same contract as the real ones, held by the same conformance suite.
import { addAbortSignal, Readable } from "node:stream";
import { ServiceError } from "../../core/errors.ts";
import type { ByteRange, PutOptions, Store } from "../store.ts";

export class MemoryStore implements Store {
  readonly properties: Store["properties"] = { schemes: ["memory"], writable: true, confined: true, shown: {} };
  readonly #blobs = new Map<string, Buffer>();
  /** Puts under way by key, each with what fences it. */
  readonly #puts = new Map<string, Set<AbortController>>();
  readonly #bytesMax: number;
  readonly #prefix: string;

  /** `bytesMax`: what the store has room for. `name`: tells the URLs of several apart. */
  constructor(options: { bytesMax?: number; name?: string } = {}) {
    this.#prefix = `memory://${options.name ?? "blobs"}/`;
    this.#bytesMax = options.bytesMax ?? Number.POSITIVE_INFINITY;
  }

  /** Keys of complete blobs, for tests to look at. */
  get keys(): readonly string[] {
    return [...this.#blobs.keys()];
  }

  owns(url: string): boolean {
    return url.startsWith(this.#prefix);
  }

  locationFor(key: string): string {
    return `${this.#prefix}${key}`;
  }

  async put(key: string, source: Readable, options: PutOptions): Promise<{ url: string; sizeBytes: number }> {
    const fence = new AbortController();
    const puts = this.#puts.get(key) ?? new Set();
    this.#puts.set(key, puts.add(fence));
    try {
      options.signal.throwIfAborted();
      addAbortSignal(options.signal, source);
      if (this.#blobs.has(key)) throw blobExists(key);
      if ((options.expectedBytes ?? 0) > this.#freeBytes) throw full();
      const data = await this.#collect(source);
      options.signal.throwIfAborted();
      fence.signal.throwIfAborted();
      if (this.#blobs.has(key)) throw blobExists(key);
      this.#blobs.set(key, data);
      return { url: this.locationFor(key), sizeBytes: data.length };
    } catch (error) {
      source.on("error", () => undefined).destroy();
      options.signal.throwIfAborted();
      throw error;
    } finally {
      puts.delete(fence);
      if (puts.size === 0) this.#puts.delete(key);
    }
  }

  async open(url: string, options: { signal: AbortSignal; range?: ByteRange }): Promise<Readable> {
    options.signal.throwIfAborted();
    const data = this.#blob(url);
    const { start, end } = options.range ?? { start: 0, end: data.length - 1 };
    return addAbortSignal(options.signal, Readable.from([data.subarray(start, end + 1)], { objectMode: false }));
  }

  async size(url: string): Promise<number> {
    return this.#blob(url).length;
  }

  async remove(url: string): Promise<void> {
    if (!this.owns(url))
      throw new ServiceError("stores.blob_not_found", "The location is not of this store.", { facts: { url } });
    const key = url.slice(this.#prefix.length);
    const gone = new ServiceError("stores.unavailable", `The partial data of image ${key} was removed.`);
    for (const fence of this.#puts.get(key) ?? []) fence.abort(gone);
    this.#blobs.delete(key);
  }

  async close(): Promise<void> {
    this.#blobs.clear();
  }

  get #freeBytes(): number {
    return [...this.#blobs.values()].reduce((free, blob) => free - blob.length, this.#bytesMax);
  }

  async #collect(source: Readable): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of source as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > this.#freeBytes) throw full();
    }
    return Buffer.concat(chunks);
  }

  #blob(url: string): Buffer {
    const data = this.#blobs.get(url.slice(this.#prefix.length));
    if (data && this.owns(url)) return data;
    throw new ServiceError("stores.blob_not_found", "There is no such data.", { facts: { url } });
  }
}

function blobExists(key: string): ServiceError {
  return new ServiceError("stores.blob_exists", `The store already holds data of image ${key}.`, { facts: { key } });
}

function full(): ServiceError {
  return new ServiceError("stores.full", "The store has no room left.");
}
