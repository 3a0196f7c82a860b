// Work that must not overlap for one key, such as the look whether an object is there and the making of it: servers do both, but not as one step.

/** Within this process; other nodes are kept apart by the image's row, which one upload at a time may hold. */
export class OneAtATime {
  readonly #last = new Map<string, Promise<void>>();

  /** Runs `work` when all that was asked for `key` before is over, whether it went well or not. Throws what `work` throws. */
  async run(key: string, work: () => Promise<void>): Promise<void> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const mine = before.then(work);
    const settled = mine.catch(() => undefined);
    this.#last.set(key, settled);
    try {
      await mine;
    } finally {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    }
  }
}
