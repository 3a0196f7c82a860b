// Stands between a client and the store: hashes and counts what passes, ends the upload where there is too much, too little, or where the
// client went away, and lets neither side run ahead of the other.
import assert from "node:assert/strict";
import { finished, type Readable, Transform, type TransformCallback } from "node:stream";
import { ServiceError } from "../core/errors.ts";
import { isLent } from "../core/lent-pieces.ts";
import { countSpentBytes } from "../core/spent-buffers.ts";
import type { HashAlgorithm } from "./hash-algorithms.ts";
import type { ContentHash } from "./ports.ts";
import { type Digests, StreamHashes } from "./stream-hashes.ts";
import type { Signature } from "./stream-work.ts";
import type { UploadInspection } from "./upload-inspection.ts";

export type UploadLimits = {
  /** null where the client announced nothing. */
  readonly announcedBytes: number | null;
  /** Most bytes this upload may have, and what sets that limit, for the error text. */
  readonly bytesMax: number;
  readonly bytesMaxOf: string;
};

export type UploadMeterOptions = UploadLimits & {
  /** Computed beside MD5; null: nothing else is. */
  readonly hashAlgorithm: HashAlgorithm | null;
  /** null: the data is not looked at. */
  readonly inspection: UploadInspection | null;
  /** That the data has to have been signed with; absent or null: none. */
  readonly signature?: Signature | null;
  readonly onBytes: (bytes: number) => void;
  /** Nothing is computed at all: the data is hashed another time. */
  readonly unhashed?: true;
  /** What a source that fails means; absent: the client went away. */
  readonly sourceFailure?: (cause: unknown) => ServiceError;
};

export class UploadMeter extends Transform {
  readonly #hashes: StreamHashes | null;
  readonly #options: UploadMeterOptions;
  #bytes = 0;
  #digests: Digests | undefined;

  constructor(options: UploadMeterOptions) {
    // As objects, so that pieces stay what they are: a stream of bytes joins those that wait, in fresh memory. One waits while another is written.
    super({ readableObjectMode: true, readableHighWaterMark: 2 });
    this.#options = options;
    const { hashAlgorithm, signature = null } = options;
    this.#hashes = options.unhashed
      ? null
      : new StreamHashes(hashAlgorithm === null ? ["md5"] : ["md5", hashAlgorithm], {
          signature,
          onPiece: (piece) => this.push(piece),
        });
  }

  /** The meter, fed by `source`. The source itself is never destroyed: the API still has to answer on its connection. */
  static of(source: Readable, options: UploadMeterOptions): UploadMeter {
    const meter = new UploadMeter(options);
    finished(source, { writable: false }, (error) => {
      // A source destroyed after its last byte, but before it said so, counts as finished there; nothing would ever end the meter.
      if (error || !source.readableEnded) meter.destroy((options.sourceFailure ?? clientWentAway)(error));
    });
    // Its failure reaches whoever reads it; one that comes before anybody does must not end the process.
    return source.pipe(meter.on("error", () => undefined));
  }

  /** MD5 of all that passed, hex; known once the meter has ended. */
  get checksum(): string {
    return this.#digest("md5");
  }

  /** The other hash of all that passed; known once the meter has ended. */
  get hash(): ContentHash | null {
    const algorithm = this.#options.hashAlgorithm;
    return algorithm === null ? null : { algorithm, value: this.#digest(algorithm) };
  }

  /** Bytes of the disk inside the data, as far as that is known; known once the meter has ended. */
  get virtualSizeBytes(): number | null {
    return this.#options.inspection?.virtualSizeBytes ?? null;
  }

  #digest(algorithm: HashAlgorithm): string {
    return this.#digests?.get(algorithm) ?? assert.fail("asked for before the end");
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#bytes += chunk.length;
    if (!isLent(chunk)) countSpentBytes(chunk.length);
    const { announcedBytes, bytesMax, bytesMaxOf, inspection, onBytes } = this.#options;
    if (this.#bytes > bytesMax) done(tooLarge(bytesMax, bytesMaxOf));
    else if (announcedBytes !== null && this.#bytes > announcedBytes) done(wrongSize(announcedBytes, "more"));
    else {
      onBytes(chunk.length);
      const unfit = inspection?.add(chunk);
      if (unfit) done(unfit);
      else if (this.#hashes) this.#hashes.add(chunk).then(() => done(), done);
      else done(null, chunk);
    }
  }

  override _flush(done: TransformCallback): void {
    const { announcedBytes, inspection } = this.#options;
    const short = announcedBytes !== null && this.#bytes < announcedBytes;
    const refused = short ? wrongSize(announcedBytes, "fewer") : inspection?.end();
    if (refused) done(refused);
    else if (!this.#hashes) done();
    else {
      const { signature } = this.#options;
      const hashes = this.#hashes;
      hashes.digests().then((digests) => {
        this.#digests = digests;
        done(signature && !hashes.isSigned ? wrongSignature() : undefined);
      }, done);
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#digests === undefined) this.#hashes?.discard();
    done(error);
  }
}

export function tooLarge(bytesMax: number, of: string): ServiceError {
  return new ServiceError("images.over_limit", `The data is larger than ${of} allows: ${bytesMax} bytes.`, {
    facts: { bytesMax },
  });
}

function wrongSignature(): ServiceError {
  return new ServiceError("images.invalid", "The data is not what was signed: its signature (img_signature) is wrong.");
}

function clientWentAway(cause: unknown): ServiceError {
  return new ServiceError("api.client_gone", "The client went away during the upload.", { cause });
}

function wrongSize(announcedBytes: number, which: "more" | "fewer"): ServiceError {
  return new ServiceError("images.invalid", `The client announced ${announcedBytes} bytes and sent ${which}.`, {
    facts: { announcedBytes },
  });
}
