// Keeps a lease alive while the work it is held for goes on, and tells that work at once when the lease is no longer held.
//
//   held --renewed every third of the lease--> held
//    |--- image gone: the lease is still ours; stop, remove the data, give it up
//    |--- lease lost: somebody else cleans up; stop, touch nothing
//    `--- database silent: go on, ask again soon. The store fences whoever lost the lease without knowing it, so hours of data
//         are not thrown away for a minute's outage.
import type { Clock } from "../core/clock.ts";
import { errorText, type ServiceError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { LeaseState } from "./ports.ts";

const retryMs = 1_000;

export type LeaseKeeperOptions = {
  /** Asks the database for more time. */
  readonly renew: () => Promise<LeaseState>;
  readonly leaseSeconds: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** For log lines. */
  readonly imageId: string;
  /** What the work ends with. */
  readonly gone: () => ServiceError;
};

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  readonly #keeping: Promise<void>;
  #state: LeaseState = "held";

  /** Of a lease that was just taken. */
  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#keeping = this.#keep();
  }

  /** Aborts, with `gone` as its reason, when the work must end because of the lease. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** As it was known last. */
  get state(): LeaseState {
    return this.#state;
  }

  /** Ends the renewals; always once. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#keeping;
  }

  async #keep(): Promise<void> {
    const { clock, renew, leaseSeconds, logger, imageId } = this.#options;
    const renewMs = (leaseSeconds * 1_000) / 3;
    let waitMs = renewMs;
    while (this.#state === "held") {
      if (!(await slept(clock.sleep(waitMs, this.#stop.signal)))) return;
      try {
        this.#state = await renew();
        waitMs = renewMs;
      } catch (error) {
        waitMs = Math.min(retryMs, renewMs);
        logger.warn({ imageId, error: errorText(error) }, "a lease could not be renewed; asking again");
      }
    }
    this.#lost.abort(this.#options.gone());
  }
}

/** False where the sleep was cut short. */
function slept(sleep: Promise<void>): Promise<boolean> {
  return sleep.then(
    () => true,
    () => false,
  );
}
