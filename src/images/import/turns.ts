// So many at once, the others in the order in which they came.

export class Turns {
  readonly #atOnceMax: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnceMax: number) {
    this.#atOnceMax = atOnceMax;
  }

  /** Runs `work` when it is its turn; rejects with what it throws. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#taken < this.#atOnceMax) this.#taken += 1;
    // Whoever is through hands his turn on.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#taken -= 1;
    }
  }
}
