// Reads a blob as a stream of large pieces, the next one fetched while the last is sent: at 64 KiB the trip to a thread and back takes longer
// than the copy. A file that ends too early is an error of the stream, so that a client never waits for bytes that will not come.
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { addAbortSignal, Readable } from "node:stream";
import { ServiceError } from "../../core/errors.ts";
import { lendPiece } from "../../core/lent-pieces.ts";
import type { ByteRange } from "../store.ts";
import type { BlobPaths } from "./blob-path.ts";
import { storeError } from "./file-errors.ts";

const pieceBytesMin = 524_288;

type OpenOptions = { readonly signal: AbortSignal; readonly range?: ByteRange; readonly readBytes: number };

/** Throws stores.blob_not_found, also where the location is not a plain file directly in the data directory; stores.unavailable. */
export async function openBlob(paths: BlobPaths, url: string, options: OpenOptions): Promise<Readable> {
  const key = await paths.keyOf(url);
  if (key === undefined)
    throw new ServiceError("stores.blob_not_found", "The location lies outside this store's data directory.", {
      facts: { url },
    });
  options.signal.throwIfAborted();
  try {
    // A link would lead out of the directory; a pipe would block a thread for ever.
    const file = await open(paths.blob(key), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile()) throw Object.assign(new Error("not a plain file"), { code: "ENOENT" });
      const range = options.range ?? { start: 0, end: found.size - 1 };
      if (range.end >= found.size) throw tooShort(key, url, found.size);
      options.signal.throwIfAborted();
      const stream = new BlobStream(file, { key, url, range, pieceBytes: Math.max(options.readBytes, pieceBytesMin) });
      return addAbortSignal(options.signal, stream);
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    options.signal.throwIfAborted();
    throw storeError(error, `Reading the data of image ${key}`, { url });
  }
}

type Blob = { readonly key: string; readonly url: string; readonly range: ByteRange; readonly pieceBytes: number };

class BlobStream extends Readable {
  readonly #file: FileHandle;
  readonly #blob: Blob;
  #position: number;
  #reading: Promise<void> = Promise.resolve();
  /** Given back by whoever sent them. Fresh memory for each piece costs a page fault for every 4 KiB, and waits for the collector. */
  readonly #free: Buffer[] = [];

  constructor(file: FileHandle, blob: Blob) {
    // One piece waits here, one is with whoever reads and one at the socket: more would only make slow clients dear.
    super({ highWaterMark: blob.pieceBytes });
    this.#file = file;
    this.#blob = blob;
    this.#position = blob.range.start;
  }

  override _read(): void {
    this.#reading = this.#readPiece().catch((error: unknown) => {
      this.destroy(storeError(error, `Reading the data of image ${this.#blob.key}`, { url: this.#blob.url }));
    });
  }

  /** The file is closed after a read under way has ended: its number may be another file's by then. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#reading
      .then(() => this.#file.close())
      .then(
        () => done(error),
        (closeError: Error) => done(error ?? closeError),
      );
  }

  async #readPiece(): Promise<void> {
    const wantedBytes = Math.min(this.#blob.range.end + 1 - this.#position, this.#blob.pieceBytes);
    if (wantedBytes <= 0) {
      this.push(null);
      return;
    }
    // Not from the shared pool: the socket may hold on to it for as long as the client is slow.
    const piece = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#blob.pieceBytes);
    const { bytesRead } = await this.#file.read(piece, 0, wantedBytes, this.#position);
    if (bytesRead === 0) throw tooShort(this.#blob.key, this.#blob.url, this.#position);
    this.#position += bytesRead;
    const filled = piece.subarray(0, bytesRead);
    lendPiece(filled, () => this.#free.push(piece));
    this.push(filled);
  }
}

function tooShort(key: string, url: string, sizeBytes: number): ServiceError {
  return new ServiceError("stores.unavailable", `The data of image ${key} is shorter than it should be.`, {
    facts: { url, sizeBytes },
  });
}
