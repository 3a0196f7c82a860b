// Keeps the lease of one upload alive while its data flows, and tells the upload at once when it no longer holds it.
//
//   held --renewed every third of the lease--> held
//    |--- image gone: the lease is still ours; stop, remove the data, give it up
//    |--- lease lost: somebody else cleans up; stop, touch nothing
//    `--- database silent: go on, ask again soon. The store fences whoever lost the lease without knowing it, so hours of data
//         are not thrown away for a minute's outage.
import { randomUUID } from "node:crypto";
import { errorText, ServiceError } from "../core/errors.ts";
import type { Store } from "../stores/store.ts";
import { removeLeasedData } from "./leased-data.ts";
import type { LeaseState, UploadLease } from "./ports.ts";
import type { ImageServicesDeps } from "./services.ts";

type Deps = Pick<ImageServicesDeps, "uploads" | "stores" | "node" | "uploadLeaseSeconds" | "clock" | "logger">;

const retryMs = 1_000;

export class HeldLease {
  readonly lease: UploadLease;
  readonly #deps: Deps;
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  readonly #keeping: Promise<void>;
  #state: LeaseState = "held";

  /** `store`: where the data goes. undefined where the image is not queued (any more). */
  static async begin(deps: Deps, imageId: string, store: Store): Promise<HeldLease | undefined> {
    const lease = { imageId, leaseId: randomUUID(), node: deps.node, urls: [store.locationFor(imageId)] };
    try {
      return (await deps.uploads.begin(lease, deps.uploadLeaseSeconds)) ? new HeldLease(deps, lease) : undefined;
    } catch (error) {
      // It may have been done all the same: undone now, or once the lease expires.
      await deps.uploads.abandon(lease).catch(() => undefined);
      throw error;
    }
  }

  private constructor(deps: Deps, lease: UploadLease) {
    this.#deps = deps;
    this.lease = lease;
    this.#keeping = this.#keep();
  }

  /** Aborts, with images.gone as its reason, when the upload must end because of the lease. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Ends the renewals; call it before `finish` or `giveUp`, and always once. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#keeping;
  }

  /**
   * Removes what the upload may have left in the store and lets the image become queued, if the lease still is ours to do that.
   * Never throws: what fails here is done by the reaper once the lease has expired. `keepData`: give up the lease alone.
   * Returns how the lease stood.
   */
  async giveUp(options: { keepData: boolean }): Promise<LeaseState> {
    const { uploads, uploadLeaseSeconds, logger } = this.#deps;
    try {
      // Asked right before removing: the file may by now be somebody else's.
      if (this.#state !== "lease_lost") this.#state = await uploads.renew(this.lease, uploadLeaseSeconds);
      if (this.#state === "lease_lost") return this.#state;
      if (options.keepData) await uploads.abandon(this.lease);
      else await removeLeasedData(this.#deps, this.lease);
    } catch (error) {
      logger.warn(
        { imageId: this.lease.imageId, error: errorText(error) },
        "an upload could not be given up; the image is queued again once its lease expires",
      );
    }
    return this.#state;
  }

  async #keep(): Promise<void> {
    const { clock, uploads, uploadLeaseSeconds, logger } = this.#deps;
    const renewMs = (uploadLeaseSeconds * 1_000) / 3;
    let waitMs = renewMs;
    while (this.#state === "held") {
      if (!(await slept(clock.sleep(waitMs, this.#stop.signal)))) return;
      try {
        this.#state = await uploads.renew(this.lease, uploadLeaseSeconds);
        waitMs = renewMs;
      } catch (error) {
        waitMs = Math.min(retryMs, renewMs);
        logger.warn(
          { imageId: this.lease.imageId, error: errorText(error) },
          "the lease of an upload could not be renewed; asking again",
        );
      }
    }
    this.#lost.abort(uploadGone(this.lease.imageId));
  }
}

/** False where the sleep was cut short. */
function slept(sleep: Promise<void>): Promise<boolean> {
  return sleep.then(
    () => true,
    () => false,
  );
}

export function uploadGone(imageId: string): ServiceError {
  return new ServiceError("images.gone", `Image ${imageId} was deleted, or taken over, during the upload.`, {
    facts: { imageId },
  });
}
