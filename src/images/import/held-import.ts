// The lease of one staging or import: kept alive while the work goes on, and given up such that nothing stays behind.
import { errorText } from "../../core/errors.ts";
import { uploadGone } from "../held-lease.ts";
import { LeaseKeeper } from "../lease-keeper.ts";
import { removeLeasedUrl } from "../leased-data.ts";
import type { ImageServicesDeps } from "../services.ts";
import type { TaskOutcome } from "../tasks/task.ts";
import type { ImportLease } from "./import-repository.ts";
import { removeStaged } from "./staged-data.ts";

export type HeldImportDeps = Pick<
  ImageServicesDeps,
  "imports" | "staging" | "stores" | "uploadLeaseSeconds" | "clock" | "logger"
>;

export type ImportEnd = {
  readonly status: ImportLease["givesBack"];
  /** Stores that did not get the data; null: those that the image says it waits for. */
  readonly failed: readonly string[] | null;
  /** null: there is no task. */
  readonly outcome: TaskOutcome | null;
};

export class HeldImport {
  readonly lease: ImportLease;
  readonly #deps: HeldImportDeps;
  readonly #keeper: LeaseKeeper;

  /** Of a lease that was just taken. */
  constructor(deps: HeldImportDeps, lease: ImportLease) {
    const { clock, logger, uploadLeaseSeconds: leaseSeconds } = deps;
    const { imageId } = lease;
    this.#deps = deps;
    this.lease = lease;
    this.#keeper = new LeaseKeeper({
      renew: () => deps.imports.renew(lease, leaseSeconds),
      gone: () => uploadGone(imageId),
      leaseSeconds,
      clock,
      logger,
      imageId,
    });
  }

  /** Aborts, with images.gone as its reason, when the work must end because of the lease. */
  get signal(): AbortSignal {
    return this.#keeper.signal;
  }

  /** Ends the renewals; call it before `giveUp`, and always once. */
  stop(): Promise<void> {
    return this.#keeper.stop();
  }

  /** `urls`: what the work may have left in stores. Never throws: what fails here is done by whoever takes the expired lease over. */
  async giveUp(urls: readonly string[], end: ImportEnd): Promise<void> {
    if (this.#keeper.state !== "lease_lost") await giveUpImport(this.#deps, { ...this.lease, urls }, end);
  }
}

/**
 * Removes what the lease names, and staged data where the image becomes queued or is gone; then gives the lease up. Never throws. False where
 * something could not be done, and the lease was kept.
 */
export async function giveUpImport(deps: HeldImportDeps, lease: ImportLease, end: ImportEnd): Promise<boolean> {
  const { imports, uploadLeaseSeconds, logger } = deps;
  const facts = { imageId: lease.imageId, leaseId: lease.leaseId };
  try {
    // Asked right before removing: the data may by now be somebody else's.
    const state = await imports.renew(lease, uploadLeaseSeconds);
    if (state === "lease_lost") return true;
    for (const url of lease.urls) await removeLeasedUrl(deps, url, facts);
    if (state === "image_gone" || end.status === "queued") await removeStaged(deps, lease.imageId);
    await imports.giveUp(lease, end);
    return true;
  } catch (error) {
    logger.warn({ ...facts, error: errorText(error) }, "an import could not be given up yet; it is tried again later");
    return false;
  }
}
