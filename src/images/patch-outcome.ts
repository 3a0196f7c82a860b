// Writes what a PATCH makes of an image: the data of added locations is looked at first, and that of removed ones goes last, under a lease
// that the same transaction wrote, so that it goes even if this process dies in between.
import { randomUUID } from "node:crypto";
import { measureAdded } from "./added-locations.ts";
import { refuseForeignRemoval } from "./foreign-data.ts";
import type { Image } from "./image.ts";
import { removeLeasedData } from "./leased-data.ts";
import type { ValidationData } from "./location-validation.ts";
import type { PatchOutcome } from "./patch.ts";
import type { Cleanup, ImageChanges } from "./ports.ts";
import type { ImageServicesDeps } from "./services.ts";

/** The image as it then is. Throws as ImageRepository.update and measureAdded, and stores.foreign. */
export async function applyOutcome(deps: ImageServicesDeps, image: Image, outcome: PatchOutcome): Promise<Image> {
  const { locations, activates, ...changes } = outcome;
  if (!locations) return deps.images.update(image.id, changes);
  const removed = new Set(locations.remove);
  refuseForeignRemoval(
    deps.stores,
    image.locations.filter(({ url }) => removed.has(url)),
  );
  const sizeBytes = await measureAdded(deps, image, locations.add);
  const cleanup: Cleanup = { leaseId: randomUUID(), node: deps.node, leaseSeconds: deps.uploadLeaseSeconds };
  const { locationsMax } = deps.settings;
  const updated = await deps.images.update(image.id, {
    ...changes,
    locations: { ...locations, locationsMax, cleanup },
    ...(activates && sizeBytes !== null ? { activation: activationOf(activates, sizeBytes) } : {}),
  });
  if (locations.remove.length > 0)
    await removeLeasedData(deps, {
      imageId: image.id,
      leaseId: cleanup.leaseId,
      node: cleanup.node,
      urls: locations.remove,
    });
  return updated;
}

function activationOf(
  { checksum, hashAlgorithm, hashValue }: ValidationData,
  sizeBytes: number,
): NonNullable<ImageChanges["activation"]> {
  const hash = hashAlgorithm === null || hashValue === null ? null : { algorithm: hashAlgorithm, value: hashValue };
  return { sizeBytes, checksum, hash };
}
