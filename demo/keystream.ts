// Bytes that look random, follow from a seed and a name, and can be read from any offset: what images are filled with, and what
// downloads are compared with, so that no image is ever held in memory or on disk by the one who checks it.
import { createCipheriv, createHash } from "node:crypto";

/**
 * After so many bytes they begin anew. A prime: pieces that a service mixed up are no whole number of periods apart, whatever blocks it
 * works in.
 */
const periodBytes = 16_777_213;
/** At most so many at once. */
const readBytesMax = 1_048_576;

let period: Buffer | undefined;

/** Each name reads the same bytes from a place of its own. Nothing is made or copied as they are read: whoever times other requests is not held up. */
export class Keystream {
  readonly #offset: number;

  constructor(seed: number, name: string) {
    this.#offset = createHash("sha256").update(`${seed}/${name}`).digest().readUIntBE(0, 6) % periodBytes;
  }

  /** Bytes `start` up to, not including, `end`; they belong to all readers, and are not to be written to. */
  read(start: number, end: number): Buffer {
    if (end - start > readBytesMax) throw new RangeError(`${end - start} bytes at once, of at most ${readBytesMax}`);
    period ??= makePeriod();
    const at = (this.#offset + start) % periodBytes;
    return period.subarray(at, at + end - start);
  }
}

/** With its beginning once more after its end. AES-128 in counter mode, for which machines have instructions. */
function makePeriod(): Buffer {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  const bytes = cipher.update(Buffer.alloc(periodBytes + readBytesMax));
  bytes.copy(bytes, periodBytes, 0, readBytesMax);
  return bytes;
}
