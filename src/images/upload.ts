// One upload: from a queued image and a stream to an active image whose data is on the disk, or back to exactly where it began.
// Data first, row second: a process that dies anywhere in between leaves a lease, by which the reaper undoes what was done.
import type { Readable } from "node:stream";
import type { Caller } from "../core/caller.ts";
import { isServiceError, ServiceError } from "../core/errors.ts";
import type { NamedStore, StoreRegistry } from "../stores/registry.ts";
import type { PutOptions } from "../stores/store.ts";
import { foundImage, requireMutable } from "./access.ts";
import { HeldLease, uploadGone } from "./held-lease.ts";
import type { Image } from "./image.ts";
import type { StoredData } from "./ports.ts";
import { requireWithinLimits } from "./project-limits.ts";
import type { ImageServicesDeps, UploadOptions } from "./services.ts";
import { signatureOf } from "./signatures.ts";
import { mayBecome } from "./status.ts";
import { storeWithin, uploadTarget } from "./store-choice.ts";
import { UploadInspection } from "./upload-inspection.ts";
import { tooLarge, type UploadLimits, UploadMeter } from "./upload-meter.ts";

const finishAttemptsMax = 4;
const finishRetryMs = 1_000;

/** See ImageDataService.upload. */
export async function upload(
  deps: ImageServicesDeps,
  caller: Caller,
  imageId: string,
  source: Readable,
  options: UploadOptions,
): Promise<void> {
  const image = await foundImage(deps, caller, imageId);
  requireMutable(deps, "upload_image", caller, image, `upload data of image ${image.id}`);
  requireReady(image);
  const signature = await signatureOf(deps, image, options.token ?? null);
  const chosen = uploadTarget(deps, options.storeId);
  await requireWithinLimits(deps, caller, { image_size_total: 0, image_count_uploading: 1 });
  const limits = await uploadLimits(deps, caller, options.announcedBytes);
  const target = { ...chosen, store: await storeWithin(chosen.store, image.owner) };
  const held = await HeldLease.begin(deps, image.id, target.store);
  if (!held) throw notQueued(image.id);
  const transfer = deps.transfers.begin({ kind: "upload", imageId: image.id, bytesTotal: options.announcedBytes });
  try {
    const { hashAlgorithm } = deps.settings;
    const inspection = UploadInspection.of(image, deps);
    const onBytes = transfer.progress;
    const meter = UploadMeter.of(source, { ...limits, hashAlgorithm, inspection, signature, onBytes });
    const data = await store(target, held, meter, { ...options, stores: deps.stores });
    await finish(deps, held, data);
  } finally {
    transfer.end();
  }
}

/** Throws images.status_conflict, images.invalid (formats missing). */
export function requireReady(image: Image): void {
  if (!mayBecome(image.status, "saving")) throw notQueued(image.id, image.status);
  if (image.diskFormat === null || image.containerFormat === null)
    throw new ServiceError(
      "images.invalid",
      `Image ${image.id} needs a disk_format and a container_format before its data can be uploaded.`,
    );
}

/** Throws images.over_limit where what was announced is too much already. */
export async function uploadLimits(
  { settings, images }: Pick<ImageServicesDeps, "settings" | "images">,
  caller: Caller,
  announcedBytes: number | null,
): Promise<UploadLimits> {
  let bytesMax = settings.imageBytesMax;
  let bytesMaxOf = "image_size_cap";
  if (settings.projectBytesMax !== null) {
    const leftBytes = Math.max(0, settings.projectBytesMax - (await images.storageUsed(caller.projectId)));
    if (leftBytes < bytesMax) {
      bytesMax = leftBytes;
      bytesMaxOf = "what is left of user_storage_quota";
    }
  }
  if (announcedBytes !== null && announcedBytes > bytesMax) throw tooLarge(bytesMax, bytesMaxOf);
  return { announcedBytes, bytesMax, bytesMaxOf };
}

/** Data to the store; whatever goes wrong, the image is queued again, or will be, before this throws. */
async function store(
  target: NamedStore,
  held: HeldLease,
  meter: UploadMeter,
  { signal, announcedBytes, stores }: UploadOptions & { readonly stores: StoreRegistry },
): Promise<StoredData> {
  try {
    const data = await putData(stores, target, held.lease.imageId, meter, {
      signal: AbortSignal.any([signal, held.signal]),
      expectedBytes: announcedBytes,
    });
    await held.stop();
    return data;
  } catch (error) {
    await held.stop();
    // Complete data that this upload did not write is not this upload's to remove.
    const state = await held.giveUp({ keepData: isServiceError(error, "stores.blob_exists") });
    // Whoever took the lease over fences the store's put, which fails before the next renewal could tell why.
    if (state !== "held") throw uploadGone(held.lease.imageId);
    if (isServiceError(error)) throw error;
    throw signal.aborted
      ? new ServiceError("api.client_gone", "The upload was cut.", { cause: error })
      : new ServiceError("stores.unavailable", "The data could not be stored.", { cause: error });
  }
}

/** What the store took and what the meter found out about it. Throws as `Store.put` does. */
export async function putData(
  stores: StoreRegistry,
  target: NamedStore,
  imageId: string,
  meter: UploadMeter,
  options: PutOptions,
): Promise<StoredData> {
  const { url, sizeBytes, metadata } = await target.store.put(imageId, meter, options);
  const { checksum, hash, virtualSizeBytes } = meter;
  return { url, metadata: { ...metadata, ...stores.metadataFor(target) }, sizeBytes, checksum, hash, virtualSizeBytes };
}

/** The commit that makes the image active. Where its outcome is unknown (a lost connection), the database is asked what became of it. */
export async function finish(deps: ImageServicesDeps, held: HeldLease, data: StoredData): Promise<void> {
  const { imageId } = held.lease;
  for (let attempt = 1; ; attempt++) {
    const state = await deps.uploads.finish(held.lease, data).catch(async (error: unknown) => {
      if (isServiceError(error, "db.unreachable", "db.conflict") && attempt < finishAttemptsMax)
        return "unknown" as const;
      // Safe although it may have been done: then the lease is gone, and nothing is touched.
      await held.giveUp({ keepData: false });
      throw error;
    });
    if (state === "held") return;
    if (state === "unknown") {
      await deps.clock.sleep(finishRetryMs);
      continue;
    }
    // After a lost reply the lease is gone for the best of reasons.
    if (state === "lease_lost" && attempt > 1 && (await isStored(deps, imageId, data))) return;
    if (state === "image_gone") await held.giveUp({ keepData: false });
    throw uploadGone(imageId);
  }
}

async function isStored({ images }: ImageServicesDeps, imageId: string, data: StoredData): Promise<boolean> {
  const image = await images.find(imageId, { projectId: null, isAdmin: true });
  return image?.checksum === data.checksum && image.locations.some(({ url }) => url === data.url);
}

export function notQueued(imageId: string, status?: string): ServiceError {
  return new ServiceError(
    "images.status_conflict",
    `Image ${imageId} takes data only while it is queued${status ? `; it is ${status}` : ""}.`,
  );
}
