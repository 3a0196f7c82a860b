// Keeps the lease of one upload alive while its data flows, and tells the upload at once when it no longer holds it.
// What becomes of the lease meanwhile is told in lease-keeper.ts.
import { randomUUID } from "node:crypto";
import { errorText, ServiceError } from "../core/errors.ts";
import type { Store } from "../stores/store.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { removeLeasedData } from "./leased-data.ts";
import type { LeaseState, UploadLease } from "./ports.ts";
import type { ImageServicesDeps } from "./services.ts";

type Deps = Pick<
  ImageServicesDeps,
  "uploads" | "stores" | "parts" | "node" | "uploadLeaseSeconds" | "clock" | "logger"
>;

export class HeldLease {
  readonly lease: UploadLease;
  readonly #deps: Deps;
  readonly #keeper: LeaseKeeper;

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

  /** Of a lease that was just taken. `leaseSeconds`: what it is extended to, where that is longer than usual; it is looked at as often as ever. */
  static of(deps: Deps, lease: UploadLease, leaseSeconds: number = deps.uploadLeaseSeconds): HeldLease {
    return new HeldLease(deps, lease, leaseSeconds);
  }

  private constructor(deps: Deps, lease: UploadLease, renewSeconds: number = deps.uploadLeaseSeconds) {
    this.#deps = deps;
    this.lease = lease;
    const { uploads, uploadLeaseSeconds: leaseSeconds, clock, logger } = deps;
    const { imageId } = lease;
    this.#keeper = new LeaseKeeper({
      renew: () => uploads.renew(lease, renewSeconds),
      gone: () => uploadGone(imageId),
      leaseSeconds,
      clock,
      logger,
      imageId,
    });
  }

  /** Aborts, with images.gone as its reason, when the upload must end because of the lease. */
  get signal(): AbortSignal {
    return this.#keeper.signal;
  }

  /** Ends the renewals; call it before `finish` or `giveUp`, and always once. */
  async stop(): Promise<void> {
    await this.#keeper.stop();
  }

  /**
   * Removes what the upload may have left in the store and lets the image become queued, if the lease still is ours to do that.
   * Never throws: what fails here is done by the reaper once the lease has expired. `keepData`: give up the lease alone.
   * Returns how the lease stood.
   */
  async giveUp(options: { keepData: boolean }): Promise<LeaseState> {
    const { uploads, uploadLeaseSeconds, logger } = this.#deps;
    let { state } = this.#keeper;
    try {
      // Asked right before removing: the file may by now be somebody else's.
      if (state !== "lease_lost") state = await uploads.renew(this.lease, uploadLeaseSeconds);
      if (state === "lease_lost") return state;
      if (options.keepData) await uploads.abandon(this.lease);
      else await removeLeasedData(this.#deps, this.lease);
    } catch (error) {
      logger.warn(
        { imageId: this.lease.imageId, error: errorText(error) },
        "an upload could not be given up; the image is queued again once its lease expires",
      );
    }
    return state;
  }
}

export function uploadGone(imageId: string): ServiceError {
  return new ServiceError("images.gone", `Image ${imageId} was deleted, or taken over, during the upload.`, {
    facts: { imageId },
  });
}
