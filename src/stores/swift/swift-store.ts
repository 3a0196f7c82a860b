// Images in containers of Swift. Data goes into segments beside the object, as it comes; the object itself is a manifest that names
// them with their hashes, which Swift checks, and appears only when all of them are there.
import { randomBytes } from "node:crypto";
import { addAbortSignal, type Readable } from "node:stream";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import type { ByteRange, PutOptions, Store, StoredBlob } from "../store.ts";
import { discard, lengthOf } from "../wire/http-client.ts";
import { OneAtATime } from "../wire/one-at-a-time.ts";
import { type Opened, resumedStream } from "../wire/resumed-stream.ts";
import { removeContainer, shareContainer } from "./image-container.ts";
import { type Attempt, markerName, piecesOf, removeObjects, type Segment, sendSegments } from "./segments.ts";
import { failureOf, type SwiftClient } from "./swift-client.ts";
import { notFound, type SwiftPlaces } from "./swift-places.ts";

export type SwiftStoreOptions = {
  readonly places: SwiftPlaces;
  readonly segmentBytes: number;
  /** What admins are shown: the options as they stand. */
  readonly container: string;
  readonly largeObjectMb: number;
};

/** A thousand segments of the largest size. */
const objectBytesMax = 1_000 * 5 * 2 ** 30;
const attemptHeader = "x-object-meta-perennial-put";

export function openSwiftStore(options: SwiftStoreOptions): Store {
  return new SwiftStore(options, new OneAtATime());
}

class SwiftStore implements Store {
  readonly properties: Store["properties"];
  readonly within?: NonNullable<Store["within"]>;
  readonly share?: NonNullable<Store["share"]>;
  readonly #options: SwiftStoreOptions;
  /** Swift looks whether an object is there, and makes it: of two requests at the same moment it would take both. */
  readonly #publishing: OneAtATime;

  constructor(options: SwiftStoreOptions, publishing: OneAtATime) {
    this.#options = options;
    this.#publishing = publishing;
    this.properties = {
      schemes: ["swift", "swift+http", "swift+https", "swift+config"],
      writable: true,
      shown: {
        container: options.container,
        large_object_size: options.largeObjectMb,
        large_object_chunk_size: options.segmentBytes / 1_048_576,
      },
    };
    const { users } = options.places;
    if (!users) return;
    this.within = async (where) => new SwiftStore({ ...options, places: await users.within(where) }, publishing);
    this.share = async (url, readers) => {
      const { client, container } = await options.places.find(url);
      await shareContainer(client, container, { readers, writers: users.adminProjects });
    };
  }

  owns(url: string): boolean {
    return this.#options.places.owns(url);
  }

  locationFor(key: string): string {
    return this.#options.places.target(key).url;
  }

  async put(key: string, source: Readable, { signal, expectedBytes }: PutOptions): Promise<StoredBlob> {
    const { places, segmentBytes } = this.#options;
    const { client, container, url } = places.target(key);
    const target = { container, key, attempt: randomBytes(8).toString("hex"), signal };
    let begun = false;
    try {
      signal.throwIfAborted();
      addAbortSignal(signal, source);
      if ((expectedBytes ?? 0) > objectBytesMax)
        throw new ServiceError("stores.full", `Swift takes no object of ${expectedBytes} bytes.`, { facts: { key } });
      if (await client.head(container, key, signal)) throw blobExists(key);
      await this.#begin(client, target);
      begun = true;
      const segments = await sendSegments(client, target, source, segmentBytes);
      signal.throwIfAborted();
      await this.#publishing.run(key, () => this.#publish(client, target, segments));
      return {
        url,
        sizeBytes: segments.reduce((bytes, segment) => bytes + segment.size_bytes, 0),
      };
    } catch (error) {
      // Asked before the source is destroyed: what it died of by itself is for the caller, unchanged.
      const ofSource = error === source.errored || (error as { code?: unknown }).code === "ERR_STREAM_PREMATURE_CLOSE";
      source.on("error", () => undefined).destroy();
      // What cannot be taken away now is found again by remove().
      if (begun) await this.#takeBack(client, target).catch(() => undefined);
      signal.throwIfAborted();
      if (ofSource) throw error;
      // The container is gone, and with it whatever was begun in it: the image was removed.
      if (begun && isServiceError(error, "stores.blob_not_found")) throw takenAway(key);
      if (isServiceError(error)) throw error;
      throw new ServiceError("stores.unavailable", `Storing image ${key} in Swift failed.`, {
        facts: { key },
        cause: error,
      });
    }
  }

  async open(url: string, { signal, range }: { signal: AbortSignal; range?: ByteRange }): Promise<Readable> {
    signal.throwIfAborted();
    const { client, container, key } = await this.#options.places.find(url);
    let version: string | undefined;
    const open = async (from: number): Promise<Opened> => {
      const headers = {
        ...(from > 0 || range ? { range: `bytes=${from}-${range ? range.end : ""}` } : {}),
        ...(version ? { "if-match": version } : {}),
      };
      const call = { method: "GET", container, object: key, headers, signal } as const;
      const reply = await client.call(call);
      if (reply.status !== 200 && reply.status !== 206) {
        discard(reply);
        throw failureOf(call, reply.status);
      }
      version ??= reply.headers.etag;
      return { body: reply.body, skipBytes: reply.status === 200 ? from : 0, bytes: lengthOf(reply) };
    };
    return await resumedStream({ what: `The data of image ${key}`, range, signal, open });
  }

  async size(url: string): Promise<number> {
    const { client, container, key } = await this.#options.places.find(url);
    const headers = await client.head(container, key);
    if (!headers) throw notFound(url);
    return lengthOf({ headers }) ?? 0;
  }

  async remove(url: string): Promise<void> {
    const { client, container, key } = await this.#options.places.find(url);
    // Pieces first: a put that wants to publish afterwards finds its mark gone, one that did so before is removed by the second step.
    await removeObjects(client, container, await piecesOf(client, { container, key }));
    await removeObjects(client, container, [key]);
    if (this.#options.places.users) await removeContainer(client, container);
  }

  async close(): Promise<void> {
    this.#options.places.close();
  }

  /** Leaves the mark without which the attempt may not publish. */
  async #begin(client: SwiftClient, target: Attempt): Promise<void> {
    const { container, signal } = target;
    const mark = { method: "PUT", container, object: markerName(target), body: [], signal } as const;
    try {
      await client.ask(mark);
    } catch (error) {
      if (!isServiceError(error, "stores.blob_not_found")) throw error;
      if (!this.#options.places.createsContainers)
        throw new ServiceError(
          "stores.unavailable",
          `There is no container ${container}: make it, or set swift_store_create_container_on_put.`,
          { cause: error },
        );
      await client.ask({ method: "PUT", container, body: [], signal });
      await client.ask(mark);
    }
  }

  /** Makes the segments the object, unless the key is taken, or the mark is. */
  async #publish(client: SwiftClient, target: Attempt, segments: readonly Segment[]): Promise<void> {
    const { container, key, attempt, signal } = target;
    const marked = () => client.head(container, markerName(target), signal);
    if (!(await marked())) throw takenAway(key);
    const manifest =
      segments.length === 0
        ? { body: [] }
        : {
            query: { "multipart-manifest": "put" },
            body: [Buffer.from(JSON.stringify(segments))],
          };
    const headers = { "if-none-match": "*", "content-type": "application/octet-stream", [attemptHeader]: attempt };
    const call = { method: "PUT", container, object: key, headers, signal, ...manifest } as const;
    const reply = await client.call(call);
    discard(reply);
    // It may have been done although the first answer was lost.
    if (reply.status >= 300 && !(await this.#isOf(client, target))) {
      if (reply.status === 412) throw blobExists(key);
      // A segment that the manifest names is gone.
      throw reply.status === 400 ? takenAway(key) : failureOf(call, reply.status);
    }
    // Asked again: who removed the key meanwhile may have looked before the object was there.
    if (!(await marked())) throw takenAway(key);
    // So may another node that published at the same moment, whose object has then taken the place of this one.
    if (!(await this.#isOf(client, target))) throw blobExists(key);
    await removeObjects(client, container, [markerName(target)]).catch(() => undefined);
  }

  /** Whether the object that stands under the key is the attempt's. */
  async #isOf(
    client: SwiftClient,
    { container, key, attempt, signal }: Omit<Attempt, "signal"> & { readonly signal?: AbortSignal },
  ): Promise<boolean> {
    return (await client.head(container, key, signal))?.[attemptHeader] === attempt;
  }

  /** The object first where it is this attempt's, so that none stands without its segments. */
  async #takeBack(client: SwiftClient, { container, key, attempt }: Attempt): Promise<void> {
    // Also when the put was given up: its signal is not asked.
    if (await this.#isOf(client, { container, key, attempt })) await removeObjects(client, container, [key]);
    await removeObjects(client, container, await piecesOf(client, { container, key, attempt }));
  }
}

function blobExists(key: string): ServiceError {
  return new ServiceError("stores.blob_exists", `The store already holds data of image ${key}.`, { facts: { key } });
}

function takenAway(key: string): ServiceError {
  return new ServiceError("stores.unavailable", `The partial data of image ${key} was removed.`, { facts: { key } });
}
