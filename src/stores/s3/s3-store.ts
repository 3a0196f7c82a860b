// Images in a bucket of S3, one object each under the image's id. Uploads go in parts whatever their size: an object appears whole or not at
// all, what a killed writer left is found and aborted, and a writer whose parts were aborted cannot finish.
import { randomUUID } from "node:crypto";
import { addAbortSignal, type Readable } from "node:stream";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import { withoutSecrets } from "../registry.ts";
import type { ByteRange, PutOptions, Store, StoredBlob } from "../store.ts";
import { lengthOf, textOf } from "../wire/http-client.ts";
import { OneAtATime } from "../wire/one-at-a-time.ts";
import { type Opened, resumedStream } from "../wire/resumed-stream.ts";
import {
  abortParts,
  beginParts,
  completeParts,
  openUploads,
  type PartSizes,
  sendParts,
  type Target,
  takenAway,
} from "./multipart.ts";
import { failureOf, type S3Account, S3Client } from "./s3-client.ts";
import { parseS3Location, type S3Location, s3Url } from "./s3-location.ts";

export type S3StoreOptions = PartSizes & {
  readonly account: S3Account;
  readonly bucket: string;
  readonly createBucket: boolean;
  /** What admins are shown: the option as it stands. */
  readonly largeObjectMb: number;
};

/** Of one object. */
const objectBytesMax = 5 * 2 ** 40;

export function openS3Store(options: S3StoreOptions): Store {
  return new S3Store(options);
}

class S3Store implements Store {
  readonly properties: Store["properties"];
  readonly #options: S3StoreOptions;
  readonly #client: S3Client;
  /** The last steps of puts: a look whether the key is taken, and its completion. */
  readonly #finishing = new OneAtATime();

  constructor(options: S3StoreOptions) {
    this.#options = options;
    this.#client = new S3Client(options.account);
    this.properties = {
      schemes: ["s3", "s3+http", "s3+https"],
      writable: true,
      shown: {
        s3_store_large_object_size: options.largeObjectMb,
        s3_store_large_object_chunk_size: options.partBytes / 1_048_576,
        s3_store_thread_pools: options.partsAtOnce,
      },
    };
  }

  owns(url: string): boolean {
    const location = parseS3Location(url);
    return location !== undefined && this.#isHere(location) && location.bucket === this.#options.bucket;
  }

  locationFor(key: string): string {
    const { bucket, account } = this.#options;
    return s3Url({ host: account.endpoint.host, secure: account.endpoint.protocol === "https:", bucket, key });
  }

  async put(key: string, source: Readable, { signal, expectedBytes }: PutOptions): Promise<StoredBlob> {
    const target = { bucket: this.#options.bucket, key, signal };
    let uploadId: string | undefined;
    try {
      signal.throwIfAborted();
      addAbortSignal(signal, source);
      if ((expectedBytes ?? 0) > objectBytesMax)
        throw new ServiceError("stores.full", `S3 takes no object of ${expectedBytes} bytes.`, { facts: { key } });
      await this.#refuseTaken(target);
      const mark = randomUUID();
      uploadId = await this.#begin(target, mark);
      const named = { ...target, uploadId };
      const { parts, sizeBytes } = await sendParts(this.#client, named, source, this.#options);
      signal.throwIfAborted();
      await this.#finishing.run(key, async () => {
        await this.#refuseTaken(target);
        if (parts.length === 0) await this.#putEmpty(named, mark);
        else await this.#complete(named, parts, mark);
      });
      return { url: this.locationFor(key), sizeBytes };
    } catch (error) {
      // Asked before the source is destroyed: what it died of by itself is for the caller, unchanged.
      const ofSource = error === source.errored || (error as { code?: unknown }).code === "ERR_STREAM_PREMATURE_CLOSE";
      source.on("error", () => undefined).destroy();
      // What cannot be taken away now is found again by remove().
      if (uploadId !== undefined)
        await abortParts(this.#client, { bucket: target.bucket, key }, uploadId).catch(() => undefined);
      signal.throwIfAborted();
      if (ofSource || isServiceError(error)) throw error;
      throw new ServiceError("stores.unavailable", `Storing image ${key} in S3 failed.`, {
        facts: { key },
        cause: error,
      });
    }
  }

  async open(url: string, { signal, range }: { signal: AbortSignal; range?: ByteRange }): Promise<Readable> {
    signal.throwIfAborted();
    const { bucket, key } = this.#locate(url);
    let version: string | undefined;
    const open = async (from: number): Promise<Opened> => {
      const headers = {
        ...(from > 0 || range ? { range: `bytes=${from}-${range ? range.end : ""}` } : {}),
        ...(version ? { "if-match": version } : {}),
      };
      const call = { method: "GET", bucket, key, headers, signal } as const;
      const reply = await this.#client.call(call);
      if (reply.status !== 200 && reply.status !== 206) throw failureOf(call, reply.status, await textOf(reply));
      version ??= reply.headers.etag;
      return { body: reply.body, skipBytes: reply.status === 200 ? from : 0, bytes: lengthOf(reply) };
    };
    return await resumedStream({ what: `The data of image ${key}`, range, signal, open });
  }

  async size(url: string): Promise<number> {
    const { bucket, key } = this.#locate(url);
    const headers = await this.#client.head(bucket, key);
    if (!headers) throw notFound(url);
    return lengthOf({ headers }) ?? 0;
  }

  async remove(url: string): Promise<void> {
    const { bucket, key } = this.#locate(url);
    // Uploads first: a put that wants to complete one afterwards finds it gone, one that did so before is removed by the second step.
    for (const uploadId of await openUploads(this.#client, bucket, key))
      await abortParts(this.#client, { bucket, key }, uploadId);
    await this.#client.ask({ method: "DELETE", bucket, key }).catch((error: unknown) => {
      if (!isServiceError(error, "stores.blob_not_found")) throw error;
    });
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  /** Throws stores.blob_not_found. */
  #locate(url: string): S3Location {
    const location = parseS3Location(url);
    if (!location || !this.#isHere(location)) throw notFound(url);
    return location;
  }

  #isHere({ host }: S3Location): boolean {
    return host === this.#options.account.endpoint.host;
  }

  async #refuseTaken({ bucket, key, signal }: Target): Promise<void> {
    if (await this.#client.head(bucket, key, signal)) throw blobExists(key);
  }

  async #begin(target: Target, mark: string): Promise<string> {
    try {
      return await beginParts(this.#client, target, mark);
    } catch (error) {
      if (!isServiceError(error, "stores.blob_not_found")) throw error;
      if (!this.#options.createBucket)
        throw new ServiceError(
          "stores.unavailable",
          `There is no bucket ${target.bucket}: make it, or set s3_store_create_bucket_on_put.`,
          { cause: error },
        );
      await this.#client.ask({ method: "PUT", bucket: target.bucket, signal: target.signal });
      return await beginParts(this.#client, target, mark);
    }
  }

  async #complete(
    target: Target & { readonly uploadId: string },
    parts: Parameters<typeof completeParts>[2],
    mark: string,
  ): Promise<void> {
    try {
      await completeParts(this.#client, target, parts);
    } catch (error) {
      if (!isServiceError(error, "stores.blob_not_found", "stores.unavailable")) throw error;
      // It may have been done although the answer was lost; else the upload is gone because remove() took it.
      const headers = await this.#client.head(target.bucket, target.key, target.signal);
      if (headers?.["x-amz-meta-perennial-put"] === mark) return;
      throw isServiceError(error, "stores.unavailable") ? error : takenAway(target.key);
    }
  }

  /** An upload in parts has at least one, and servers differ in whether that may be empty. */
  async #putEmpty(target: Target & { readonly uploadId: string }, mark: string): Promise<void> {
    const { bucket, key, uploadId, signal } = target;
    if (!(await openUploads(this.#client, bucket, key)).includes(uploadId)) throw takenAway(key);
    const headers = { "content-type": "application/octet-stream", "x-amz-meta-perennial-put": mark };
    await this.#client.ask({ method: "PUT", bucket, key, headers, body: [], signal });
    await abortParts(this.#client, { bucket, key }, uploadId);
  }
}

function blobExists(key: string): ServiceError {
  return new ServiceError("stores.blob_exists", `The store already holds data of image ${key}.`, { facts: { key } });
}

function notFound(url: string): ServiceError {
  return new ServiceError("stores.blob_not_found", "There is no such data in this S3 store.", {
    facts: { url: withoutSecrets(url) },
  });
}
