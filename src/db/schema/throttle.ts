// Holds work on many rows back while the server has too much to do, but never for good.
import { systemClock } from "../../core/clock.ts";

/** How long an overloaded server is waited for before one batch is done all the same. */
const waitMsMax = 3_000;
const checkMs = 50;

export class Throttle {
  readonly #reason: () => Promise<string | null>;
  #checkedMs = Number.NEGATIVE_INFINITY;

  /** `reason`: why to wait now, or null. */
  constructor(reason: () => Promise<string | null>) {
    this.#reason = reason;
  }

  /** Asks at most twenty times a second; tells why while it waits. */
  async wait(tell: (why: string) => void, signal?: AbortSignal): Promise<void> {
    if (performance.now() - this.#checkedMs < checkMs) return;
    for (let waitedMs = 0; waitedMs < waitMsMax; waitedMs += checkMs) {
      const why = await this.#reason();
      this.#checkedMs = performance.now();
      if (why === null) return;
      tell(`held back: ${why}`);
      await systemClock.sleep(checkMs, signal);
    }
  }
}
