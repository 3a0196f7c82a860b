// Parts of uploads that can be continued, as files: a folder an image, in a hidden folder of the directory of staged data, so that neither
// our own cleaning up of that directory nor the reference's touches them.
import { constants } from "node:fs";
import { access, type FileHandle, mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { addAbortSignal, Readable } from "node:stream";
import { ServiceError } from "../../core/errors.ts";
import { returnPiece } from "../../core/lent-pieces.ts";
import { errorCode, storeError } from "./file-errors.ts";

const flushBytesMin = 64 * 1_048_576;
const readBytes = 262_144;

export class PartFiles {
  readonly #root: string;

  /** `directory`: of staged data. Nothing is made in it before it is needed. */
  constructor(directory: string) {
    this.#root = join(directory, ".perennial-uploads");
  }

  async prepare(imageId: string): Promise<void> {
    await doing("Making room for an upload", imageId, () => mkdir(this.#folder(imageId), { recursive: true }));
  }

  async sees(imageId: string): Promise<boolean> {
    try {
      await access(this.#folder(imageId), constants.W_OK);
      return true;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return false;
      throw storeError(error, "Looking for the parts of an upload", { imageId });
    }
  }

  async write(
    imageId: string,
    part: string,
    source: Readable,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<number> {
    let file: FileHandle;
    try {
      signal.throwIfAborted();
      file = await open(this.#file(imageId, part), "wx");
    } catch (error) {
      source.on("error", () => undefined).destroy();
      signal.throwIfAborted();
      throw this.#writeError(error, imageId);
    }
    addAbortSignal(signal, source);
    let failure: unknown;
    const sizeBytes = await append(file, source, (error) => {
      failure = error;
    });
    // What came is kept even where no more will: that is what a part is for.
    await file.sync().catch((error: unknown) => {
      failure ??= error;
    });
    await file.close();
    if (failure === undefined) return sizeBytes;
    const ofSource = failure === source.errored || errorCode(failure) === "ERR_STREAM_PREMATURE_CLOSE";
    signal.throwIfAborted();
    throw ofSource ? failure : this.#writeError(failure, imageId);
  }

  async size(imageId: string, part: string): Promise<number> {
    try {
      const file = await open(this.#file(imageId, part), "r+");
      try {
        // Its writer may have died before it could do so; what a client is told of must not be lost afterwards.
        await file.sync();
        return (await file.stat()).size;
      } finally {
        await file.close();
      }
    } catch (error) {
      if (errorCode(error) === "ENOENT") return 0;
      throw storeError(error, "Reading the size of a part of an upload", { imageId });
    }
  }

  read(imageId: string, pieces: readonly { readonly part: string; readonly bytes: number }[]): Readable {
    return Readable.from(this.#chunks(imageId, pieces), { objectMode: false, highWaterMark: readBytes });
  }

  async remove(imageId: string): Promise<void> {
    await doing("Removing the parts of an upload", imageId, () =>
      rm(this.#folder(imageId), { recursive: true, force: true }),
    );
  }

  async list(): Promise<readonly string[]> {
    return readdir(this.#root).catch((error: unknown) => {
      if (errorCode(error) === "ENOENT") return [];
      throw storeError(error, "Listing the parts of uploads", { directory: this.#root });
    });
  }

  async *#chunks(imageId: string, pieces: readonly { readonly part: string; readonly bytes: number }[]) {
    for (const { part, bytes } of pieces) {
      const file = await doing("Reading a part of an upload", imageId, () => open(this.#file(imageId, part), "r"));
      let left = bytes;
      for await (const chunk of file.createReadStream({ start: 0, end: bytes - 1, highWaterMark: readBytes })) {
        left -= (chunk as Buffer).length;
        yield chunk as Buffer;
      }
      if (left > 0)
        throw new ServiceError("stores.unavailable", `A part of the upload of image ${imageId} is too short.`, {
          facts: { imageId, part, missingBytes: left },
        });
    }
  }

  #folder(imageId: string): string {
    return join(this.#root, plain(imageId));
  }

  #file(imageId: string, part: string): string {
    return join(this.#folder(imageId), plain(part));
  }

  #writeError(error: unknown, imageId: string): ServiceError {
    if (errorCode(error) !== "ENOENT") return storeError(error, "Taking in an upload", { imageId });
    return new ServiceError("stores.unavailable", `The parts of the upload of image ${imageId} are gone.`, {
      facts: { imageId, directory: this.#root },
      cause: error,
    });
  }
}

/** Writes until the source ends or fails, or the file does; returns how much was written. Never throws. */
async function append(file: FileHandle, source: Readable, failed: (error: unknown) => void): Promise<number> {
  let writtenBytes = 0;
  let flushedBytes = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      let done = 0;
      while (done < chunk.length) {
        const { bytesWritten } = await file.write(chunk, done, chunk.length - done, writtenBytes);
        if (bytesWritten === 0) throw Object.assign(new Error("the file takes no more bytes"), { code: "ENOSPC" });
        done += bytesWritten;
        writtenBytes += bytesWritten;
      }
      returnPiece(chunk);
      if (writtenBytes - flushedBytes < flushBytesMin) continue;
      await file.datasync();
      flushedBytes = writtenBytes;
    }
  } catch (error) {
    failed(error);
  }
  return writtenBytes;
}

async function doing<T>(what: string, imageId: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const translated = storeError(error, what, { imageId });
    if (translated.code !== "stores.blob_not_found") throw translated;
    throw new ServiceError("stores.unavailable", `${what}: its folder is gone.`, { facts: { imageId }, cause: error });
  }
}

/** Ids are checked where they come in; one that could leave the folder is a programmer's mistake. */
function plain(name: string): string {
  if (/^[0-9A-Za-z_-]{1,255}$/.test(name)) return name;
  throw new Error(`not a name of a part: ${name}`);
}
