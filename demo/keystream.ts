// Bytes that look random, follow from a seed and a name, and can be read from any offset: what images are filled with, and what
// downloads are compared with, so that no image is ever held in memory or on disk by the one who checks it.
import { createCipheriv, createHash } from "node:crypto";

const blockBytes = 16;
const zeros = Buffer.alloc(65_536);

/** AES-128 in counter mode: the counter gives random access, the hardware gives speed. */
export class Keystream {
  readonly #key: Buffer;

  constructor(seed: number, name: string) {
    this.#key = createHash("sha256").update(`${seed}/${name}`).digest().subarray(0, blockBytes);
  }

  /** Bytes `start` up to, not including, `end`. */
  read(start: number, end: number): Buffer {
    const firstBlock = Math.floor(start / blockBytes);
    const counter = Buffer.alloc(blockBytes);
    counter.writeBigUInt64BE(BigInt(firstBlock), 8);
    const cipher = createCipheriv("aes-128-ctr", this.#key, counter);
    const skip = start - firstBlock * blockBytes;
    const length = end - start + skip;
    return cipher.update(length <= zeros.length ? zeros.subarray(0, length) : Buffer.alloc(length)).subarray(skip);
  }
}
