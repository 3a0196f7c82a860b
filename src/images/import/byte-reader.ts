// Reads a stream by numbers of bytes instead of by whatever pieces it comes in.
import type { Readable } from "node:stream";
import { ServiceError } from "../../core/errors.ts";

export class ByteReader {
  readonly #pieces: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(stream: Readable) {
    this.#pieces = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  /** The next `bytes`, or fewer where the stream ends before; they are read again. */
  async peek(bytes: number): Promise<Buffer> {
    while (this.#held.length < bytes && (await this.#more()));
    return this.#held.subarray(0, bytes);
  }

  /** Exactly so many. Throws images.unfit_data where the stream ends before. */
  async read(bytes: number): Promise<Buffer> {
    const read = await this.readUpTo(bytes);
    if (read.length < bytes) throw short();
    return read;
  }

  async readUpTo(bytes: number): Promise<Buffer> {
    const read = await this.peek(bytes);
    this.#held = this.#held.subarray(read.length);
    return read;
  }

  /** Exactly so many, piece by piece. Throws images.unfit_data where the stream ends before. */
  async *take(bytes: number): AsyncGenerator<Buffer> {
    let left = bytes;
    while (left > 0) {
      if (this.#held.length === 0 && !(await this.#more())) throw short();
      const piece = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  /** All there still is, piece by piece. */
  async *rest(): AsyncGenerator<Buffer> {
    do {
      const piece = this.#held;
      this.#held = Buffer.alloc(0);
      if (piece.length > 0) yield piece;
    } while (await this.#more());
  }

  /** The next piece, whatever its length; empty at the end. */
  async piece(): Promise<Buffer> {
    if (this.#held.length === 0) await this.#more();
    const piece = this.#held;
    this.#held = Buffer.alloc(0);
    return piece;
  }

  /** Bytes that were read last, to be read again. */
  unread(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([bytes, this.#held]);
  }

  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    const { value, done } = await this.#pieces.next();
    if (done) this.#ended = true;
    else this.#held = this.#held.length === 0 ? value : Buffer.concat([this.#held, value]);
    return !done;
  }
}

function short(): ServiceError {
  return new ServiceError("images.unfit_data", "The compressed data breaks off before its end.");
}
