// Lets one pass at a time, in the order of arrival, and nobody waits for ever.

export class Turnstile {
  #busy = false;
  readonly #waiting = new Set<() => void>();

  /** Resolves to the function that lets the next one pass; to undefined where `waitMsMax` was not enough. */
  async enter(waitMsMax: number): Promise<(() => void) | undefined> {
    if (!this.#busy) {
      this.#busy = true;
      return this.#pass();
    }
    const entered = await new Promise<boolean>((resolve) => {
      const admit = () => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(admit);
        resolve(false);
      }, waitMsMax);
      this.#waiting.add(admit);
    });
    return entered ? this.#pass() : undefined;
  }

  #pass(): () => void {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const [next] = this.#waiting;
      if (next) {
        this.#waiting.delete(next);
        next();
      } else this.#busy = false;
    };
  }
}
