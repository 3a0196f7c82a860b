// Uploads that can be continued: from the last byte that arrived, on any node that shares the folder of staged data. The state is one row of
// perennial_uploads (half-upload.ts draws it) and the parts; no process has to be alive, or to have ended well, for another to go on.
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import type { Caller } from "../../core/caller.ts";
import { ServiceError } from "../../core/errors.ts";
import { foundImage, requireMutable } from "../access.ts";
import type { Image } from "../image.ts";
import { requireWithinLimits } from "../project-limits.ts";
import type { ImageServicesDeps, UploadOptions } from "../services.ts";
import { signatureOf } from "../signatures.ts";
import { storeWithin, uploadTarget } from "../store-choice.ts";
import { notQueued, requireReady, uploadLimits } from "../upload.ts";
import { giveUpHalf } from "./give-up.ts";
import { type HalfUpload, halfUploadOf, lastPart, linesOf } from "./half-upload.ts";
import { type Arrival, receive } from "./receive.ts";
import { type Standing, takeOver } from "./take-over.ts";

export type UploadProgress = {
  /** Bytes that are stored: where the next request goes on. */
  readonly offsetBytes: number;
  /** The image is active. */
  readonly complete: boolean;
};

export type ResumableOptions = Pick<UploadOptions, "signal" | "token"> & {
  /** What this request announces; null where it does not. */
  readonly announcedBytes: number | null;
  /** Of the whole image; null: not known yet. */
  readonly totalBytes: number | null;
  /** These are the last bytes. */
  readonly last: boolean;
};

/**
 * Throughout: images.not_found, images.forbidden; images.not_staged_here where this node does not see what arrived. A request that breaks
 * (api.client_gone, stores.unavailable) leaves an upload that can be continued; one that is refused for good (images.unfit_data,
 * images.over_limit) leaves a queued image.
 */
export interface ResumableUploads {
  /** As ImageDataService.upload; where `last` is false the image stays `saving` until its other bytes have come. */
  begin(
    caller: Caller,
    imageId: string,
    source: Readable,
    options: ResumableOptions & Pick<UploadOptions, "storeId">,
  ): Promise<UploadProgress>;
  /**
   * Goes on at `offsetBytes`, in the place of any request that still does. Throws images.no_upload, images.offset_mismatch (fact
   * `uploadOffset`), images.status_conflict (all bytes are there and are being stored), and as `begin` does.
   */
  append(
    caller: Caller,
    imageId: string,
    source: Readable,
    options: ResumableOptions & { readonly offsetBytes: number },
  ): Promise<UploadProgress>;
  /** Throws images.no_upload. */
  progress(caller: Caller, imageId: string): Promise<UploadProgress>;
  /** What arrived is removed and the image queued again. Throws images.no_upload, images.status_conflict. */
  cancel(caller: Caller, imageId: string): Promise<void>;
}

export function createResumableUploads(deps: ImageServicesDeps): ResumableUploads {
  const theirs = async (caller: Caller, imageId: string): Promise<Image> => {
    const image = await foundImage(deps, caller, imageId);
    requireMutable(deps, "upload_image", caller, image, `upload data of image ${image.id}`);
    return image;
  };

  return {
    async begin(caller, imageId, source, options) {
      const image = await theirs(caller, imageId);
      requireReady(image);
      // It is checked when all data is there; what can be refused before is.
      await signatureOf(deps, image, options.token ?? null);
      const { store } = uploadTarget(deps, options.storeId);
      await requireWithinLimits(deps, caller, { image_size_total: 0, image_count_uploading: 1 });
      const arrival = await arrivalOf(deps, caller, source, 0, options);
      const name = randomUUID();
      const half: HalfUpload = {
        storeUrl: (await storeWithin(store, image.owner)).locationFor(image.id),
        parts: [{ name, start: 0 }],
        storing: false,
      };
      const lease = { imageId: image.id, leaseId: name, node: deps.node, urls: linesOf(half) };
      try {
        if (!(await deps.uploads.begin(lease, secondsOf(deps)))) throw notQueued(image.id);
        await deps.parts.prepare(image.id);
      } catch (error) {
        // It may have begun all the same. Where another upload did, this changes nothing.
        await deps.uploads.abandon(lease).catch(() => undefined);
        throw error;
      }
      return receive(deps, caller, { lease, half }, arrival);
    },

    async append(caller, imageId, source, options) {
      const image = await theirs(caller, imageId);
      const { offsetBytes } = options;
      const standing = await standingOf(deps, image);
      const arrival = await arrivalOf(deps, caller, source, offsetBytes, options);
      const taken = await takeOver(deps, standing, secondsOf(deps));
      const reachedBytes = lastPart(taken.half).start;
      if (reachedBytes === offsetBytes) return receive(deps, caller, taken, arrival);
      throw new ServiceError(
        "images.offset_mismatch",
        `The upload of image ${image.id} has ${reachedBytes} bytes: go on from there, not from ${offsetBytes}.`,
        { facts: { imageId: image.id, uploadOffset: reachedBytes } },
      );
    },

    async progress(caller, imageId) {
      const image = await theirs(caller, imageId);
      if (image.status === "active") return { offsetBytes: image.sizeBytes ?? 0, complete: true };
      const { half } = await standingOf(deps, image);
      const { name, start } = lastPart(half);
      return { offsetBytes: start + (await deps.parts.size(image.id, name)), complete: false };
    },

    async cancel(caller, imageId) {
      const image = await theirs(caller, imageId);
      const outcome = await giveUpHalf(deps, image.id);
      if (outcome === "none") throw noUpload(image.id);
      if (outcome === "storing") throw beingStored(image.id);
    },
  };
}

/** Throws images.no_upload, images.status_conflict (its data is being stored by somebody who lives), images.not_staged_here. */
async function standingOf(deps: ImageServicesDeps, image: Image): Promise<Standing> {
  const found = image.status === "saving" ? await deps.uploads.find(image.id) : undefined;
  const half = found && halfUploadOf(found.lease);
  if (!found || !half) throw noUpload(image.id);
  if (half.storing && !found.expired) throw beingStored(image.id);
  if (!(await deps.parts.sees(image.id)))
    throw new ServiceError(
      "images.not_staged_here",
      `What arrived of image ${image.id} is not on this node: share the folder of staged data between all nodes (node_staging_uri).`,
      { facts: { imageId: image.id } },
    );
  return { lease: found.lease, half };
}

/** Throws images.over_limit where what is announced is too much already. */
async function arrivalOf(
  deps: ImageServicesDeps,
  caller: Caller,
  source: Readable,
  offsetBytes: number,
  { signal, last, announcedBytes, totalBytes, token }: ResumableOptions,
): Promise<Arrival> {
  const least = totalBytes ?? (announcedBytes === null ? null : offsetBytes + announcedBytes);
  const { bytesMax, bytesMaxOf } = await uploadLimits(deps, caller, least);
  const limits = { announcedBytes, bytesMax: Math.max(0, bytesMax - offsetBytes), bytesMaxOf };
  return { source, signal, last, totalBytes, token: token ?? null, limits };
}

/** Where the operator turned it off there are no routes to this; what is under way then has the usual time. */
function secondsOf({ settings, uploadLeaseSeconds }: ImageServicesDeps): number {
  return settings.resumableSeconds ?? uploadLeaseSeconds;
}

function noUpload(imageId: string): ServiceError {
  return new ServiceError(
    "images.no_upload",
    `There is no upload of image ${imageId} that could be continued. If the image is queued, start one with PUT.`,
    { facts: { imageId } },
  );
}

function beingStored(imageId: string): ServiceError {
  return new ServiceError(
    "images.status_conflict",
    `All data of image ${imageId} has arrived and is being stored. Ask again for its status.`,
    { facts: { imageId } },
  );
}
