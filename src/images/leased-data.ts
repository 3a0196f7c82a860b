// Removes the data that a lease names, and gives the lease up once all of it is gone. Whoever calls this holds the lease: nobody else may
// remove data, for the same URL may by now hold the file of a later upload.
import { errorText, isServiceError } from "../core/errors.ts";
import { withoutSecrets } from "../stores/registry.ts";
import type { UploadLease } from "./ports.ts";
import type { ImageServicesDeps } from "./services.ts";

type Deps = Pick<ImageServicesDeps, "stores" | "uploads" | "logger">;

/**
 * Never throws: what cannot be removed now stays leased, and the reaper tries again once the lease has expired. False where it stays.
 * URLs of stores this node does not have, or that no store of ours could have written, are left alone for good.
 */
export async function removeLeasedData({ stores, uploads, logger }: Deps, lease: UploadLease): Promise<boolean> {
  const facts = { imageId: lease.imageId, leaseId: lease.leaseId };
  try {
    for (const url of lease.urls) await removeLeasedUrl({ stores, logger }, url, facts);
    await uploads.abandon(lease);
    return true;
  } catch (error) {
    logger.warn({ ...facts, error: errorText(error) }, "image data could not be removed yet; it is tried again later");
    return false;
  }
}

/** One URL that a lease names, whose holder the caller is. Throws what the store says where the data is still there. */
export async function removeLeasedUrl(
  { stores, logger }: Omit<Deps, "uploads">,
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
