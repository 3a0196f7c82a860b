// Images in a pool of Ceph, as the reference has them: each an image of RBD under its id, whose protected snapshot says that it is complete, and from
// which Nova and Cinder clone without copying.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { addAbortSignal, type Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { errorText, ServiceError } from "../../core/errors.ts";
import type { ByteRange, PutOptions, Store, StoredBlob } from "../store.ts";
import { CephConnection } from "./ceph-connection.ts";
import type { ClusterAccess, NamedImage, OpenImage } from "./ceph-protocol.ts";
import { refusedWith } from "./ceph-threads.ts";
import { failureOf } from "./rbd-errors.ts";
import { parseRbdLocation, type RbdLocation, rbdUrl } from "./rbd-location.ts";
import { type ReadImage, readImage } from "./rbd-reader.ts";
import { writeImage } from "./rbd-writer.ts";

export type RbdStoreOptions = {
  readonly access: ClusterAccess;
  readonly pool: string;
  /** Of the objects that an image is cut into; a power of two. */
  readonly objectBytes: number;
  readonly thin: boolean;
};

/** As Nova and Cinder know it from the reference. */
const snapshot = "snap";
/** Ceph's map of an image's objects has no more. */
const objectsMax = 256_000_000;
/** How often a put looks whether it is unwanted, and a removal whether a put has noticed. */
const lookMs = 1_000;
const looksMax = 5;

/** Of a put: `stop` makes it fail with `reason`, `ended` settles when nothing of it is left. */
type PutUnderWay = { stop(reason: unknown): void; readonly ended: Promise<void> };

/** Throws stores.unavailable where the cluster does not answer, or has no such pool. */
export async function openRbdStore(options: RbdStoreOptions): Promise<Store> {
  const connection = new CephConnection(options.access);
  try {
    const { fsid } = await connection.connected();
    await connection.pool(options.pool);
    return new RbdStore(options, connection, fsid);
  } catch (error) {
    await connection.close();
    if (refusedWith(error, "ENOENT"))
      throw new ServiceError(
        "stores.unavailable",
        `Ceph has no pool ${options.pool}, or there is no configuration of it: ${errorText(error)}.`,
        { cause: error },
      );
    throw new ServiceError("stores.unavailable", `Ceph cannot be used: ${errorText(error)}.`, { cause: error });
  }
}

class RbdStore implements Store {
  readonly properties: Store["properties"];
  readonly #options: RbdStoreOptions;
  readonly #connection: CephConnection;
  readonly #fsid: string;
  /** Those of this process that have their image. */
  readonly #puts = new Map<string, PutUnderWay>();
  readonly #reads = new Set<Readable>();

  constructor(options: RbdStoreOptions, connection: CephConnection, fsid: string) {
    this.#options = options;
    this.#connection = connection;
    this.#fsid = fsid;
    this.properties = {
      schemes: ["rbd"],
      writable: true,
      shown: { chunk_size: options.objectBytes, pool: options.pool, thin_provisioning: options.thin, fsid },
    };
  }

  owns(url: string): boolean {
    const location = parseRbdLocation(url);
    return location !== undefined && this.#isHere(location) && this.#poolOf(location) === this.#options.pool;
  }

  locationFor(key: string): string {
    return rbdUrl({ fsid: this.#fsid, pool: this.#options.pool, image: key, snapshot });
  }

  async put(key: string, source: Readable, { signal, expectedBytes }: PutOptions): Promise<StoredBlob> {
    try {
      signal.throwIfAborted();
      addAbortSignal(signal, source);
      const bytes = expectedBytes ?? 0;
      await this.#refuseTooLarge(key, bytes);
      const { objectBytes, pool } = this.#options;
      const named = { pool: await this.#connection.pool(pool), name: key };
      const { features } = await this.#connection.connected();
      const made = { snapshot, attempt: randomUUID(), bytes, order: Math.log2(objectBytes), features };
      const image = await this.#connection.order("create", { ...named, ...made });
      const sizeBytes = await this.#fill(named, image, source, { signal, bytes });
      return { url: this.locationFor(key), sizeBytes };
    } catch (error) {
      // Asked before the source is destroyed: what it died of by itself is for the caller, unchanged.
      const ofSource = error === source.errored || (error as { code?: unknown }).code === "ERR_STREAM_PREMATURE_CLOSE";
      source.on("error", () => undefined).destroy();
      signal.throwIfAborted();
      if (ofSource) throw error;
      throw failureOf(error, { key }, `Storing image ${key} in Ceph failed`);
    }
  }

  async open(url: string, { signal, range }: { signal: AbortSignal; range?: ByteRange }): Promise<Readable> {
    signal.throwIfAborted();
    const named = await this.#locate(url);
    const opened = await this.#ask(url, () => this.#connection.order("open", named));
    const stream = readImage(this.#connection, named, opened, { signal, range });
    this.#reads.add(stream);
    stream.once("close", () => this.#reads.delete(stream));
    return stream;
  }

  async size(url: string): Promise<number> {
    const named = await this.#locate(url);
    const { image, bytes } = await this.#ask(url, () => this.#connection.order("open", named));
    await this.#connection.order("close", { image });
    return bytes;
  }

  async remove(url: string): Promise<void> {
    const named = await this.#locate(url);
    for (let look = 1; look <= looksMax; look++) {
      // One of this process would notice by itself, later.
      const put = this.#puts.get(named.name);
      put?.stop(removedMeanwhile(named.name));
      await put?.ended;
      if ((await this.#ask(url, () => this.#connection.order("remove", named))) === "removed") return;
      await sleep(lookMs);
    }
    const message = `The data of image ${named.name} is still being written, or whoever wrote it has just died: Ceph forgets it within half a minute. Try again then.`;
    throw new ServiceError("stores.unavailable", message, { facts: { url } });
  }

  async close(): Promise<void> {
    const puts = [...this.#puts.values()];
    for (const put of puts) put.stop(new ServiceError("stores.unavailable", "The store is being closed."));
    const reads = [...this.#reads].map((stream) => once(stream.on("error", () => undefined).destroy(), "close"));
    await Promise.all([...puts.map(({ ended }) => ended), ...reads]);
    await this.#connection.close();
  }

  /** Writes `source` into a new image and makes that complete; where anything fails the image is gone again. */
  async #fill(
    named: NamedImage,
    image: OpenImage,
    source: Readable,
    { signal, bytes }: { signal: AbortSignal; bytes: number },
  ): Promise<number> {
    const stopped = Promise.withResolvers<never>();
    stopped.promise.catch(() => undefined);
    const ended = Promise.withResolvers<void>();
    this.#puts.set(named.name, { stop: stopped.reject, ended: ended.promise });
    const isUnwanted = () => this.#connection.order("isUnwanted", { image });
    const looks = repeat(lookMs, async () => {
      if (await isUnwanted()) stopped.reject(removedMeanwhile(named.name));
    });
    try {
      const writing = { image, bytes, thin: this.#options.thin, stopped: stopped.promise };
      const sizeBytes = await writeImage(this.#connection, source, writing);
      await looks.end();
      await this.#connection.order("seal", { image, snapshot });
      // Whoever wants it removed from now on finds it complete, and removes it.
      if (await isUnwanted()) throw removedMeanwhile(named.name);
      signal.throwIfAborted();
      // All of it is with the cluster; what closing fails of changes nothing.
      await this.#connection.order("close", { image }).catch(() => undefined);
      return sizeBytes;
    } catch (error) {
      await looks.end();
      // What cannot be taken away now is found again by remove().
      await this.#connection.order("discard", { ...named, image, snapshot }).catch(() => undefined);
      throw error;
    } finally {
      this.#puts.delete(named.name);
      ended.resolve();
    }
  }

  async #refuseTooLarge(key: string, bytes: number): Promise<void> {
    const { cluster } = await this.#connection.connected();
    const freeBytes = (await this.#connection.order("freeBytes", { cluster })) ?? Number.POSITIVE_INFINITY;
    if (bytes > Math.min(freeBytes, objectsMax * this.#options.objectBytes))
      throw new ServiceError("stores.full", `Ceph has no room for ${bytes} bytes of image ${key}.`, { facts: { key } });
  }

  /** Throws stores.blob_not_found. */
  async #locate(url: string): Promise<ReadImage> {
    const location = parseRbdLocation(url);
    if (!location || !this.#isHere(location)) throw notFound(url);
    const pool = await this.#ask(url, () => this.#connection.pool(this.#poolOf(location)));
    return { pool, name: location.image, snapshot: location.snapshot ?? null };
  }

  #isHere({ fsid }: RbdLocation): boolean {
    return fsid === undefined || fsid === this.#fsid;
  }

  #poolOf({ pool }: RbdLocation): string {
    return pool ?? this.#options.pool;
  }

  async #ask<T>(url: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw refusedWith(error, "ENOENT") ? notFound(url) : failureOf(error, { url }, "Ceph refused");
    }
  }
}

/** Does `work` again and again, `ms` after it was done; its failures are nobody's. `end` waits for what is under way; safe to call twice. */
function repeat(ms: number, work: () => Promise<void>): { end(): Promise<void> } {
  const stop = new AbortController();
  const ended = (async () => {
    for (;;) {
      await sleep(ms, undefined, { signal: stop.signal, ref: false });
      await work().catch(() => undefined);
    }
  })().catch(() => undefined);
  return {
    async end() {
      stop.abort();
      await ended;
    },
  };
}

function removedMeanwhile(key: string): ServiceError {
  return new ServiceError("stores.unavailable", `The data of image ${key} was removed while it was stored.`);
}

function notFound(url: string): ServiceError {
  return new ServiceError("stores.blob_not_found", "There is no such data in this cluster of Ceph.", {
    facts: { url },
  });
}
