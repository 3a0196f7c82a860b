// The last bytes of a stream, whatever its length.

export class Tail {
  readonly #held: Buffer;
  #length = 0;

  constructor(bytesMax: number) {
    this.#held = Buffer.alloc(bytesMax);
  }

  add(chunk: Buffer): void {
    const room = this.#held.length;
    if (chunk.length >= room) {
      chunk.copy(this.#held, 0, chunk.length - room);
      this.#length = room;
      return;
    }
    const kept = Math.min(this.#length, room - chunk.length);
    this.#held.copyWithin(0, this.#length - kept, this.#length);
    chunk.copy(this.#held, kept);
    this.#length = kept + chunk.length;
  }

  get bytes(): Buffer {
    return this.#held.subarray(0, this.#length);
  }
}
