// Removes the data that a lease names, and gives the lease up once all of it is gone. Whoever calls this holds the lease: nobody else may
// remove data, for the same URL may by now hold the file of a later upload.
import { errorText, isServiceError, ServiceError } from "../core/errors.ts";
import { withoutSecrets } from "../stores/registry.ts";
import type { RemovedData, UploadLease } from "./ports.ts";
import { halfUploadOf } from "./resumable/half-upload.ts";
import type { ImageServicesDeps } from "./services.ts";

/** Without `parts` nobody holds leases of half uploads. */
type Deps = Pick<ImageServicesDeps, "stores" | "uploads" | "logger"> & Partial<Pick<ImageServicesDeps, "parts">>;

/**
 * Never throws: what cannot be removed now stays leased, and the reaper tries again once the lease has expired. False where it stays.
 * URLs of stores this node does not have, or that no store of ours could have written, are left alone for good.
 */
export async function removeLeasedData({ stores, uploads, logger, parts }: Deps, lease: UploadLease): Promise<boolean> {
  const facts = { imageId: lease.imageId, leaseId: lease.leaseId };
  try {
    const half = halfUploadOf(lease);
    // Of an upload that still comes in parts nothing is in the store: what lies there under its URL is not its own.
    const urls = half ? [half.storeUrl].filter(() => half.storing) : lease.urls;
    for (const url of urls) await removeLeasedUrl({ stores, logger }, url, facts);
    if (half) await parts?.remove(lease.imageId);
    await uploads.abandon(lease);
    return true;
  } catch (error) {
    logger.warn({ ...facts, error: errorText(error) }, "image data could not be removed yet; it is tried again later");
    return false;
  }
}

/**
 * The same for what a caller waits for: where the store keeps the data, the removal is taken back, and the caller learns why.
 * Throws stores.in_use, images.forbidden.
 */
export async function removeOrTakeBack(deps: Deps, { cleanup: lease, takeBack }: RemovedData): Promise<void> {
  const facts = { imageId: lease.imageId, leaseId: lease.leaseId };
  const gone: string[] = [];
  for (const url of lease.urls)
    try {
      await removeLeasedUrl(deps, url, facts);
      gone.push(url);
    } catch (error) {
      if (!isServiceError(error, "stores.in_use", "stores.read_only")) break;
      // Where this fails, or the lease is somebody else's by now, the data is removed later, as soon as the store lets it go.
      if (!(await takeBack(gone).catch(() => false))) return;
      throw error.code === "stores.in_use" ? error : notRemovable(lease.imageId, error);
    }
  await removeLeasedData(deps, lease);
}

function notRemovable(imageId: string, cause: ServiceError): ServiceError {
  return new ServiceError("images.forbidden", `The store does not let the data of image ${imageId} be removed.`, {
    facts: { imageId },
    cause,
  });
}

/** One URL that a lease names, whose holder the caller is. Throws what the store says where the data is still there. */
export async function removeLeasedUrl(
  { stores, logger }: Pick<Deps, "stores" | "logger">,
  url: string,
  facts: { readonly imageId: string; readonly leaseId: string },
): Promise<void> {
  const store = stores.forUrl(url)?.store;
  if (!store)
    logger.warn(
      { ...facts, url: withoutSecrets(url) },
      "no store of this node removes such a location: its data stays",
    );
  else if (!store.properties.writable)
    logger.debug({ ...facts, url: withoutSecrets(url) }, "the store only gives data, which stays");
  else
    await store.remove(url).catch((error: unknown) => {
      if (!isServiceError(error, "stores.blob_not_found")) throw error;
      logger.warn({ ...facts, error: errorText(error) }, "a location lies outside its store: its data stays");
    });
}
