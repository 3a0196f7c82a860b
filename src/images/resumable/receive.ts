// One request of an upload that can be continued: its bytes become a part, and with the last of them all parts go into the store, hashed,
// measured and inspected as one stream, exactly as the data of a plain upload.
import type { Readable } from "node:stream";
import type { Caller } from "../../core/caller.ts";
import { errorText, isServiceError, ServiceError } from "../../core/errors.ts";
import { HeldLease, uploadGone } from "../held-lease.ts";
import type { StoredData } from "../ports.ts";
import type { ImageServicesDeps } from "../services.ts";
import { signatureOf } from "../signatures.ts";
import { finish, putData, uploadLimits } from "../upload.ts";
import { UploadInspection } from "../upload-inspection.ts";
import { type UploadLimits, UploadMeter } from "../upload-meter.ts";
import { keepForLater } from "./give-up.ts";
import { type HalfUpload, lastPart, linesOf, piecesOf } from "./half-upload.ts";
import type { UploadProgress } from "./resumable-uploads.ts";
import type { Standing } from "./take-over.ts";

export type Arrival = {
  readonly source: Readable;
  readonly signal: AbortSignal;
  readonly last: boolean;
  readonly totalBytes: number | null;
  /** The caller's own; null: there is none. */
  readonly token: string | null;
  /** Of this request alone. */
  readonly limits: UploadLimits;
};

type Who = { readonly caller: Caller; readonly token: string | null };

/** `standing`: this process holds the lease, and its last part is this request's. See ResumableUploads. */
export async function receive(
  deps: ImageServicesDeps,
  caller: Caller,
  standing: Standing,
  arrival: Arrival,
): Promise<UploadProgress> {
  const { imageId } = standing.lease;
  const bytesTotal = arrival.limits.announcedBytes;
  const transfer = deps.transfers.begin({ kind: "upload", imageId, bytesTotal });
  try {
    const part = lastPart(standing.half);
    const offsetBytes = part.start + (await takeIn(deps, standing, arrival, transfer.progress));
    if (!arrival.last) return { offsetBytes, complete: false };
    requireTotal(imageId, offsetBytes, arrival.totalBytes);
    await store(deps, { caller, token: arrival.token }, standing, offsetBytes);
    return { offsetBytes, complete: true };
  } finally {
    transfer.end();
  }
}

/** Bytes of the part. The lease stays as it is where the request breaks: whoever goes on takes it over. */
async function takeIn(
  deps: ImageServicesDeps,
  { lease, half }: Standing,
  { source, signal, limits }: Arrival,
  onBytes: (bytes: number) => void,
): Promise<number> {
  const { imageId } = lease;
  const held = HeldLease.of(deps, lease, deps.settings.resumableSeconds ?? deps.uploadLeaseSeconds);
  const meter = UploadMeter.of(source, { ...limits, hashAlgorithm: null, inspection: null, unhashed: true, onBytes });
  try {
    const both = AbortSignal.any([signal, held.signal]);
    const bytes = await deps.parts.write(imageId, lastPart(half).name, meter, { signal: both });
    await held.stop();
    return bytes;
  } catch (error) {
    await held.stop();
    const refused = isServiceError(error, "images.over_limit");
    if (refused || held.signal.aborted) await held.giveUp({ keepData: false });
    if (held.signal.aborted) throw uploadGone(imageId);
    throw serviceError(error, signal);
  }
}

/**
 * From here on the client need not be there any more. The lease becomes one that only a living process keeps: another that finds it expired
 * knows that the data is only half in the store.
 */
async function store(deps: ImageServicesDeps, who: Who, standing: Standing, bytes: number): Promise<void> {
  const { imageId } = standing.lease;
  const half: HalfUpload = { ...standing.half, storing: true };
  const lease = { ...standing.lease, urls: linesOf(half) };
  if (!(await deps.uploads.replace(lease, lease, deps.uploadLeaseSeconds))) throw uploadGone(imageId);
  const held = HeldLease.of(deps, lease);
  let data: StoredData;
  try {
    data = await putAll(deps, who, half, held, bytes);
    await held.stop();
  } catch (error) {
    await held.stop();
    await afterFailure(deps, held, half, error);
    if (held.signal.aborted) throw uploadGone(imageId);
    throw serviceError(error, held.signal);
  }
  await finish(deps, held, data);
  await deps.parts.remove(imageId).catch((error: unknown) => {
    deps.logger.warn({ imageId, error: errorText(error) }, "parts of an upload could not be removed; they go later");
  });
}

async function putAll(
  deps: ImageServicesDeps,
  { caller, token }: Who,
  half: HalfUpload,
  held: HeldLease,
  bytes: number,
): Promise<StoredData> {
  const { imageId } = held.lease;
  const found = deps.stores.forUrl(half.storeUrl);
  if (!found) throw new ServiceError("stores.unavailable", `This node has no store for image ${imageId}.`);
  // Where the lease says, whoever owns the image by now: there it is looked for if this process dies.
  const target = { ...found, store: (await found.store.within?.({ url: half.storeUrl })) ?? found.store };
  // As it is now: its formats may have been changed since the upload began.
  const image = await deps.images.find(imageId, { projectId: null, isAdmin: true });
  if (!image) throw uploadGone(imageId);
  const limits = await uploadLimits(deps, caller, bytes);
  const signature = await signatureOf(deps, image, token);
  const inspection = UploadInspection.of(image, deps);
  const { hashAlgorithm } = deps.settings;
  const sourceFailure = (cause: unknown) =>
    isServiceError(cause)
      ? cause
      : new ServiceError("stores.unavailable", `What arrived of image ${imageId} could not be read.`, { cause });
  const source = deps.parts.read(imageId, piecesOf(half, bytes));
  const meter = UploadMeter.of(source, {
    ...limits,
    hashAlgorithm,
    inspection,
    signature,
    onBytes: () => undefined,
    sourceFailure,
  });
  try {
    return await putData(deps.stores, target, imageId, meter, { signal: held.signal, expectedBytes: bytes });
  } finally {
    source.destroy();
  }
}

/** What is refused once would be refused again, and its data goes; anything else may go better the next time. Never throws. */
async function afterFailure(deps: ImageServicesDeps, held: HeldLease, half: HalfUpload, error: unknown): Promise<void> {
  const { imageId } = held.lease;
  try {
    if (isServiceError(error, "stores.blob_exists")) {
      // Complete data that this upload did not write is not this upload's to remove.
      await deps.parts.remove(imageId);
      await held.giveUp({ keepData: true });
    } else if (isServiceError(error) && error.code.startsWith("images.")) await held.giveUp({ keepData: false });
    else if (!(await keepForLater(deps, held.lease, half))) await held.giveUp({ keepData: false });
  } catch (cause) {
    // Done by the reaper, once the lease has expired.
    deps.logger.warn({ imageId, error: errorText(cause) }, "an upload that could not be stored is kept for later");
  }
}

function serviceError(error: unknown, signal: AbortSignal): ServiceError {
  if (isServiceError(error)) return error;
  return signal.aborted
    ? new ServiceError("api.client_gone", "The upload was cut.", { cause: error })
    : new ServiceError("stores.unavailable", "The data could not be stored.", { cause: error });
}

/** The upload stays as it is: its client may have named the wrong length, or not be done. */
function requireTotal(imageId: string, bytes: number, totalBytes: number | null): void {
  if (totalBytes === null || totalBytes === bytes) return;
  throw new ServiceError(
    "images.invalid",
    `The upload of image ${imageId} has ${bytes} bytes, and its client says that it is complete with ${totalBytes}.`,
    { facts: { imageId, bytes, totalBytes } },
  );
}
