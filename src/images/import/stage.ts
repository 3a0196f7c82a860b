// PUT /v2/images/{id}/stage: data is taken in and waits, unhashed and unseen, until the client has it imported. As uploads do, a staging under
// way holds a lease, so that the image is queued again where its process dies.
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import type { Caller } from "../../core/caller.ts";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import { foundImage, requireMutable } from "../access.ts";
import { uploadGone } from "../held-lease.ts";
import { requireWithinLimits } from "../project-limits.ts";
import type { ImageServicesDeps, UploadOptions } from "../services.ts";
import { mayBecome } from "../status.ts";
import { uploadLimits } from "../upload.ts";
import { UploadMeter } from "../upload-meter.ts";
import { HeldImport } from "./held-import.ts";
import type { ImportLease } from "./import-repository.ts";
import { persistently } from "./persistently.ts";
import { removeStaged, stagingOf } from "./staged-data.ts";

/** See ImportService.stage. */
export async function stage(
  deps: ImageServicesDeps,
  caller: Caller,
  imageId: string,
  source: Readable,
  options: UploadOptions,
): Promise<void> {
  const image = await foundImage(deps, caller, imageId);
  requireMutable(deps, "modify_image", caller, image, `stage data of image ${image.id}`);
  if (!mayBecome(image.status, "uploading")) throw notQueued(image.id, image.status);
  await requireWithinLimits(deps, caller, { image_stage_total: 0, image_count_uploading: 1 });
  const limits = await uploadLimits(deps, caller, options.announcedBytes);
  const held = await beginStaging(deps, image.id);
  if (!held) throw notQueued(image.id);
  const transfer = deps.transfers.begin({ kind: "upload", imageId: image.id, bytesTotal: options.announcedBytes });
  try {
    const meterOptions = { ...limits, hashAlgorithm: null, inspection: null, unhashed: true } as const;
    const meter = UploadMeter.of(source, { ...meterOptions, onBytes: transfer.progress });
    const sizeBytes = await put(deps, held, meter, options);
    await finish(deps, held, sizeBytes);
  } finally {
    transfer.end();
  }
}

async function beginStaging(deps: ImageServicesDeps, imageId: string): Promise<HeldImport | undefined> {
  const { imports, node, uploadLeaseSeconds } = deps;
  const lease: ImportLease = {
    imageId,
    leaseId: randomUUID(),
    node,
    taskId: null,
    givesBack: "queued",
    urls: [],
  };
  try {
    return (await imports.beginStaging(lease, uploadLeaseSeconds)) ? new HeldImport(deps, lease) : undefined;
  } catch (error) {
    // It may have been done all the same: undone now, or once the lease expires.
    await imports.giveUp(lease, queuedAgain).catch(() => undefined);
    throw error;
  }
}

const queuedAgain = { status: "queued", failed: [], outcome: null } as const;

/** Whatever goes wrong, the image is queued again, or will be, before this throws. */
async function put(
  deps: ImageServicesDeps,
  held: HeldImport,
  meter: UploadMeter,
  { signal, announcedBytes }: UploadOptions,
): Promise<number> {
  const { imageId } = held.lease;
  try {
    // The image was queued: what lies there is left of an earlier life, and nobody's.
    await removeStaged(deps, imageId);
    const { sizeBytes } = await stagingOf(deps, imageId).put(imageId, meter, {
      signal: AbortSignal.any([signal, held.signal]),
      expectedBytes: announcedBytes,
    });
    await held.stop();
    return sizeBytes;
  } catch (error) {
    await held.stop();
    await held.giveUp([], queuedAgain);
    if (held.signal.aborted) throw uploadGone(imageId);
    if (isServiceError(error)) throw error;
    throw signal.aborted
      ? new ServiceError("api.client_gone", "The upload was cut.", { cause: error })
      : new ServiceError("stores.unavailable", "The data could not be staged.", { cause: error });
  }
}

async function finish(deps: ImageServicesDeps, held: HeldImport, sizeBytes: number): Promise<void> {
  const { imports, capabilities, importing, images } = deps;
  const { imageId } = held.lease;
  const staged = {
    sizeBytes: capabilities.stagedSize ? sizeBytes : null,
    stageHost: capabilities.stageHosts ? importing.selfUrl : null,
  };
  try {
    const { result: state, repeated } = await persistently(deps, () => imports.finishStaging(held.lease, staged));
    if (state === "held") return;
    if (state === "lease_lost" && repeated) {
      // After a lost reply the lease is gone for the best of reasons.
      const image = await images.find(imageId, { projectId: null, isAdmin: true });
      if (image?.status === "uploading") return;
    }
  } catch (error) {
    await held.giveUp([], queuedAgain);
    throw error;
  }
  await held.giveUp([], queuedAgain);
  throw uploadGone(imageId);
}

function notQueued(imageId: string, status?: string): ServiceError {
  return new ServiceError(
    "images.status_conflict",
    `Data of image ${imageId} can be staged only while it is queued${status ? `; it is ${status}` : ""}.`,
  );
}
