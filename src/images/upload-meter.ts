// Stands between a client and the store: hashes and counts what passes, ends the upload where there is too much, too little, or where the
// client went away, and lets neither side run ahead of the other.
import assert from "node:assert/strict";
import { finished, type Readable, Transform, type TransformCallback } from "node:stream";
import { ServiceError } from "../core/errors.ts";
import { StreamMd5 } from "./stream-md5.ts";

export type UploadLimits = {
  /** null where the client announced nothing. */
  readonly announcedBytes: number | null;
  /** Most bytes this upload may have, and what sets that limit, for the error text. */
  readonly bytesMax: number;
  readonly bytesMaxOf: string;
};

export class UploadMeter extends Transform {
  readonly #md5 = new StreamMd5();
  readonly #limits: UploadLimits;
  readonly #onBytes: (bytes: number) => void;
  #bytes = 0;
  #checksum: string | undefined;

  constructor(limits: UploadLimits, onBytes: (bytes: number) => void) {
    // The store takes a megabyte at a time: enough is ready while it writes.
    super({ readableHighWaterMark: 1_048_576 });
    this.#limits = limits;
    this.#onBytes = onBytes;
  }

  /** The meter, fed by `source`. The source itself is never destroyed: the API still has to answer on its connection. */
  static of(source: Readable, limits: UploadLimits, onBytes: (bytes: number) => void): UploadMeter {
    const meter = new UploadMeter(limits, onBytes);
    finished(source, { writable: false }, (error) => {
      // A source destroyed after its last byte, but before it said so, counts as finished there; nothing would ever end the meter.
      if (error || !source.readableEnded)
        meter.destroy(new ServiceError("api.client_gone", "The client went away during the upload.", { cause: error }));
    });
    // Its failure reaches whoever reads it; one that comes before anybody does must not end the process.
    return source.pipe(meter.on("error", () => undefined));
  }

  /** MD5 of all that passed, hex; known once the meter has ended. */
  get checksum(): string {
    assert(this.#checksum !== undefined, "asked for before the end");
    return this.#checksum;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#bytes += chunk.length;
    const { announcedBytes, bytesMax, bytesMaxOf } = this.#limits;
    if (this.#bytes > bytesMax) done(tooLarge(bytesMax, bytesMaxOf));
    else if (announcedBytes !== null && this.#bytes > announcedBytes) done(wrongSize(announcedBytes, "more"));
    else {
      this.#onBytes(chunk.length);
      this.#md5.add(chunk).then(() => done(null, chunk), done);
    }
  }

  override _flush(done: TransformCallback): void {
    const { announcedBytes } = this.#limits;
    if (announcedBytes !== null && this.#bytes < announcedBytes) done(wrongSize(announcedBytes, "fewer"));
    else
      this.#md5.digest().then((checksum) => {
        this.#checksum = checksum;
        done();
      }, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#checksum === undefined) this.#md5.discard();
    done(error);
  }
}

export function tooLarge(bytesMax: number, of: string): ServiceError {
  return new ServiceError("images.over_limit", `The data is larger than ${of} allows: ${bytesMax} bytes.`, {
    facts: { bytesMax },
  });
}

function wrongSize(announcedBytes: number, which: "more" | "fewer"): ServiceError {
  return new ServiceError("images.invalid", `The client announced ${announcedBytes} bytes and sent ${which}.`, {
    facts: { announcedBytes },
  });
}
