// Data that waits to be imported: one file an image, named by its id, in a folder that nodes may or may not share.
import { errorText, isServiceError, ServiceError } from "../../core/errors.ts";
import type { Store } from "../../stores/store.ts";
import type { Image } from "../image.ts";
import type { ImageServicesDeps } from "../services.ts";

type StagingDeps = Pick<ImageServicesDeps, "staging">;

/** Where this node stages. Throws images.not_staged_here where it does not stage at all. */
export function stagingOf({ staging }: StagingDeps, imageId: string): Store {
  if (staging) return staging;
  throw notStagedHere(imageId);
}

/** Bytes of the staged data. Throws images.not_staged_here where this node does not see it, stores.unavailable. */
export async function stagedBytes(deps: StagingDeps, imageId: string): Promise<number> {
  const staging = stagingOf(deps, imageId);
  try {
    return await staging.size(staging.locationFor(imageId));
  } catch (error) {
    throw isServiceError(error, "stores.blob_not_found") ? notStagedHere(imageId) : error;
  }
}

/**
 * The same for an image that is staged; where another node noted that it has the data, the error's fact `stageHost` is that node's URL.
 * A node that stages under the same URL as this one, say that of a balancer, cannot be told from it.
 */
export async function stagedImageBytes(
  deps: StagingDeps & Pick<ImageServicesDeps, "importing" | "capabilities">,
  image: Image,
): Promise<number> {
  try {
    return await stagedBytes(deps, image.id);
  } catch (error) {
    const host = deps.capabilities.stageHosts ? (image.properties.os_glance_stage_host ?? null) : null;
    if (!isServiceError(error, "images.not_staged_here") || !host || host === deps.importing.selfUrl) throw error;
    throw new ServiceError(error.code, error.message, { facts: { ...error.facts, stageHost: host }, cause: error });
  }
}

/** What is not there, or lies on another node, needs no removing here. Throws stores.unavailable. */
export async function removeStaged({ staging }: StagingDeps, imageId: string): Promise<void> {
  if (staging) await staging.remove(staging.locationFor(imageId));
}

/** The same for whoever can do without: what stays is removed when the node starts the next time. */
export async function dropStaged(
  deps: StagingDeps & Pick<ImageServicesDeps, "logger">,
  imageId: string,
): Promise<void> {
  await removeStaged(deps, imageId).catch((error: unknown) => {
    deps.logger.warn(
      { imageId, error: errorText(error) },
      "staged data could not be removed; it goes at the next start",
    );
  });
}

function notStagedHere(imageId: string): ServiceError {
  return new ServiceError(
    "images.not_staged_here",
    `The staged data of image ${imageId} is not on this node: share the folder of staged data between all nodes (node_staging_uri), or set worker_self_reference_url on each of them.`,
    { facts: { imageId } },
  );
}
