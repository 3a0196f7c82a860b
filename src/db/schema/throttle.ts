// Holds work on many rows back while the server has too much to do, but never for good.
import { systemClock } from "../../core/clock.ts";

/** How long an overloaded server is waited for before one batch is done all the same. */
const waitMsMax = 3_000;
/** Asking costs the server about a millisecond. */
const checkMs = 200;
const waitingCheckMs = 50;

export class Throttle {
  readonly #reason: () => Promise<string | null>;
  #checkedMs = Number.NEGATIVE_INFINITY;

  /** `reason`: why to wait now, or null. */
  constructor(reason: () => Promise<string | null>) {
    this.#reason = reason;
  }

  /** Asks at most five times a second while there is no reason; tells why while it waits. */
  async wait(tell: (why: string) => void, signal?: AbortSignal): Promise<void> {
    if (performance.now() - this.#checkedMs < checkMs) return;
    const startMs = performance.now();
    do {
      const why = await this.#reason();
      this.#checkedMs = performance.now();
      if (why === null) return;
      tell(`held back: ${why}`);
      await systemClock.sleep(waitingCheckMs, signal);
    } while (performance.now() - startMs < waitMsMax);
    // One batch, and then it is asked again.
    this.#checkedMs = Number.NEGATIVE_INFINITY;
  }
}
