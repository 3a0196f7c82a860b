// One image on its way into the cache: takes the pieces of a download as they pass, verifies them, and gives the file its name at the end.
// Whatever goes wrong here goes wrong for the cache alone; the download it listens to never hears of it.
import { Transform, type TransformCallback } from "node:stream";
import type { CacheableImage, CacheFill } from "../images/ports.ts";
import { StreamHashes } from "../images/stream-hashes.ts";
import type { Store } from "../stores/store.ts";

export type FillTarget = {
  readonly image: CacheableImage;
  readonly store: Store;
  /** Called when all bytes have come and are the right ones and the store has taken them, before the file gets its name. */
  readonly onVerified: () => Promise<void>;
};

export class StoreFill implements CacheFill {
  readonly done: Promise<boolean>;
  readonly #source: VerifiedSource;
  readonly #failure: { error: unknown } = { error: null };
  #ended = false;
  #abandoned = false;

  constructor({ image, store, onVerified }: FillTarget) {
    this.#source = new VerifiedSource(image, onVerified);
    // Its failure is told by put().
    this.#source.on("error", () => undefined);
    const put = store.put(image.id, this.#source, {
      signal: new AbortController().signal,
      expectedBytes: image.sizeBytes,
    });
    this.done = put.then(
      () => true,
      (error: unknown) => {
        this.#failure.error = error;
        return false;
      },
    );
  }

  /** Why `done` is false. */
  get failure(): unknown {
    return this.#failure.error;
  }

  /** More of the data would be of no use. */
  get over(): boolean {
    return this.#source.destroyed;
  }

  /** A client that leaves in the middle is no failure. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  async add(chunk: Buffer): Promise<void> {
    const source = this.#source;
    if (source.destroyed || this.#ended) return;
    // The piece may be filled again as soon as the client has it; what is written lags behind that.
    if (source.write(Buffer.from(chunk)) || source.destroyed) return;
    await new Promise<void>((resolve) => {
      const go = () => {
        source.off("drain", go).off("close", go);
        resolve();
      };
      source.on("drain", go).on("close", go);
    });
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#source.end();
  }

  abort(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#abandoned = true;
    this.#source.destroy(new Error("the download was broken off"));
  }
}

/** Ends well only where exactly the image's bytes have passed: a store gives no name to what ended badly. */
class VerifiedSource extends Transform {
  readonly #image: CacheableImage;
  readonly #onVerified: () => Promise<void>;
  readonly #hashes = new StreamHashes(["md5"]);
  #bytes = 0;
  #verified = false;

  constructor(image: CacheableImage, onVerified: () => Promise<void>) {
    // Nothing is read ahead, what waits does so on the other side: when the last piece was taken the store has a file to put it in, and only
    // then is all verified and recorded, which an index in the files' attributes could not do earlier.
    super({ readableHighWaterMark: 1, writableHighWaterMark: 2_097_152 });
    this.#image = image;
    this.#onVerified = onVerified;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#bytes += chunk.length;
    if (this.#image.checksum === null) done(null, chunk);
    else this.#hashes.add(chunk).then(() => done(null, chunk), done);
  }

  override _flush(done: TransformCallback): void {
    this.#verify().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#verified) this.#hashes.discard();
    done(error);
  }

  async #verify(): Promise<void> {
    const { sizeBytes, checksum } = this.#image;
    if (this.#bytes !== sizeBytes) throw new Error(`${this.#bytes} bytes came of ${sizeBytes}`);
    if (checksum !== null) {
      const found = (await this.#hashes.digests()).get("md5");
      if (found !== checksum) throw new Error(`the data has MD5 ${found} and should have ${checksum}`);
    }
    this.#verified = true;
    await this.#onVerified();
  }
}
