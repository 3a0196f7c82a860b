// The end of an upload that nobody goes on with: cancelled by its client, its image deleted, silent for too long, or its process gone while
// it stored the data, which is the one case where it can still be continued.
import { randomUUID } from "node:crypto";
import { errorText } from "../../core/errors.ts";
import { removeLeasedData, removeLeasedUrl } from "../leased-data.ts";
import type { UploadLease } from "../ports.ts";
import type { ImageServicesDeps } from "../services.ts";
import { type HalfUpload, halfUploadOf, linesOf } from "./half-upload.ts";

/** Fences whoever writes, then removes all of it; an image that still is `saving` is queued again. `storing`: left alone, its data is being stored. */
export async function giveUpHalf(deps: ImageServicesDeps, imageId: string): Promise<"given_up" | "none" | "storing"> {
  const found = await deps.uploads.find(imageId);
  const half = found && halfUploadOf(found.lease);
  if (!found || !half) return "none";
  if (half.storing && !found.expired) return "storing";
  const mine = { ...found.lease, leaseId: randomUUID(), node: deps.node };
  if (!(await deps.uploads.replace(found.lease, mine, deps.uploadLeaseSeconds))) return "storing";
  // What cannot be removed now, the reaper removes once this lease has expired.
  await removeLeasedData(deps, mine);
  return "given_up";
}

/**
 * For who holds the lease of an upload that was being stored: what of it is in the store goes, and the upload can be continued for as long as
 * after any sign of life. False where the lease is lost, or nobody waits for the data. Throws what the store says.
 */
export async function keepForLater(deps: ImageServicesDeps, lease: UploadLease, half: HalfUpload): Promise<boolean> {
  const { settings, uploads, uploadLeaseSeconds } = deps;
  if (settings.resumableSeconds === null) return false;
  if ((await uploads.renew(lease, uploadLeaseSeconds)) !== "held") return false;
  await removeLeasedUrl(deps, half.storeUrl, lease);
  const kept = { ...lease, urls: linesOf({ ...half, storing: false }) };
  return uploads.replace(lease, kept, settings.resumableSeconds);
}

/** Removes parts of uploads that no lease knows: left by a node that does not know parts, or by a process that died at the very end. Never throws. */
export async function removeOrphanedParts({ parts, uploads, logger }: ImageServicesDeps): Promise<void> {
  try {
    for (const imageId of await parts.list()) {
      // The lease is there before the first part, and the parts go before the lease, but for the upload that ended well.
      const found = await uploads.find(imageId);
      if (found && halfUploadOf(found.lease)) continue;
      await parts.remove(imageId);
      logger.info({ imageId }, "parts of an upload that nobody continues were removed");
    }
  } catch (error) {
    logger.warn({ error: errorText(error) }, "the folder of unfinished uploads could not be cleaned up");
  }
}
