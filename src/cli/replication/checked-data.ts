// Image data on its way, held against what its image says of it: the last byte is let through only where length and hash are right, so
// that a service that gets it drops the upload, and a file is never taken for whole.
import { createHash, getHashes, type Hash } from "node:crypto";
import { pipeline, type Readable, Transform, type TransformCallback } from "node:stream";
import { errorText } from "../../core/errors.ts";
import { ClientFailure } from "../client-failure.ts";
import type { ImageRecord } from "./image-record.ts";

type Check = { readonly hash: Hash; readonly expected: string };

class CheckedData extends Transform {
  readonly #bytesExpected: number;
  readonly #check: Check | null;
  readonly #onBytes: (bytes: number) => void;
  #bytes = 0;
  #held: Buffer | null = null;

  constructor(image: ImageRecord, onBytes: (bytes: number) => void) {
    super();
    this.#bytesExpected = image.size ?? 0;
    this.#check = checkOf(image);
    this.#onBytes = onBytes;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    this.#bytes += chunk.length;
    this.#check?.hash.update(chunk);
    this.#onBytes(chunk.length);
    if (this.#held) this.push(this.#held);
    this.#held = chunk;
    done(this.#bytes > this.#bytesExpected ? this.#wrong("more bytes") : null);
  }

  override _flush(done: TransformCallback): void {
    const whole = this.#bytes === this.#bytesExpected;
    const right = !whole || this.#check === null || this.#check.hash.digest("hex") === this.#check.expected;
    done(whole && right ? null : this.#wrong(whole ? "another hash" : "fewer bytes"), this.#held);
  }

  #wrong(what: string): ClientFailure {
    return new ClientFailure(
      `its data has ${what} than the image says (${this.#bytes} of ${this.#bytesExpected} bytes came)`,
    );
  }
}

/** `onBytes` is told of each piece. Fails with ClientFailure alone; destroying it destroys the source. */
export function checkedData(source: Readable, image: ImageRecord, onBytes: (bytes: number) => void): Readable {
  return pipeline(told(source), new CheckedData(image, onBytes), () => undefined);
}

/** What a library says of the end of its stream, in words about the image. */
async function* told(source: Readable): AsyncGenerator<Buffer> {
  try {
    yield* source as AsyncIterable<Buffer>;
  } catch (error) {
    throw error instanceof ClientFailure ? error : new ClientFailure(`its data broke off: ${errorText(error)}`);
  }
}

function checkOf({ os_hash_algo: algorithm, os_hash_value: value, checksum }: ImageRecord): Check | null {
  if (algorithm && value && getHashes().includes(algorithm)) return { hash: createHash(algorithm), expected: value };
  return checksum ? { hash: createHash("md5"), expected: checksum } : null;
}
