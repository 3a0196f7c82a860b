// Locations that clients add: which ones they may, what is noted about them, and whether there is data, and how much.
import { ServiceError } from "../core/errors.ts";
import { schemeOf, storeKeys } from "../stores/registry.ts";
import type { Image, ImageLocation } from "./image.ts";
import { mebibytes, requireWithinLimits } from "./project-limits.ts";
import type { ImageServicesDeps } from "./services.ts";

type Deps = Pick<ImageServicesDeps, "stores" | "images" | "settings" | "limits">;

/** A URL of a client's choosing must never make the service read its own files, or use the credentials of its own configuration. */
const neverGiven: readonly string[] = ["file", "filesystem", "swift+config"];

/**
 * The location with what the service notes about its store. Throws images.invalid where clients may not add such a one to this image; null:
 * a service does, which may name its data as it likes.
 */
export function addableLocation(
  { stores }: Pick<Deps, "stores">,
  imageId: string | null,
  given: Omit<ImageLocation, "status">,
): ImageLocation {
  const scheme = schemeOf(given.url);
  const store = neverGiven.includes(scheme) ? undefined : stores.of(given);
  if (!store)
    throw invalid(
      `${scheme === "" ? "such" : scheme.slice(0, 30)} locations cannot be given by clients of this service`,
    );
  if (imageId !== null && store.store.properties.writable && !isNamedAfter(imageId, given.url))
    throw invalid("the data there is another image's");
  const noted = stores.idIn(given.metadata) === undefined ? stores.metadataFor(store) : {};
  return { url: given.url, metadata: { ...given.metadata, ...noted }, status: "active" };
}

/** Other metadata for a location that stays. With several stores it goes on saying which of ours the data is in. */
export function otherMetadata(
  { stores }: Pick<Deps, "stores">,
  location: ImageLocation,
  metadata: ImageLocation["metadata"],
): ImageLocation["metadata"] {
  if (!stores.multiStore) return metadata;
  if (stores.idIn(location.metadata) === undefined && stores.idIn(metadata) !== undefined) return metadata;
  const noted = storeKeys.flatMap((key) =>
    typeof location.metadata[key] === "string" ? [[key, location.metadata[key]]] : [],
  );
  const store = noted.length > 0 ? undefined : stores.of(location);
  return { ...metadata, ...Object.fromEntries(noted), ...(store && stores.metadataFor(store)) };
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;

/**
 * Stores that are written to name data after its image, and read it with credentials of their own: who gave the name of a foreign image could
 * read that, and delete it with their own. The last id counts, for some URLs begin with that of a cluster.
 */
function isNamedAfter(imageId: string, url: string): boolean {
  let decoded: string;
  try {
    decoded = decodeURIComponent(url);
  } catch {
    // No store of ours writes such a URL; whose data it would be cannot be told.
    return false;
  }
  const last = decoded.match(uuid)?.at(-1);
  return last === undefined || last.toLowerCase() === imageId.toLowerCase();
}

/**
 * Size of the data in bytes. Throws images.invalid where there is none, where it cannot be reached, or where it is not as large as the
 * image's other data; images.over_limit where the owner's storage would not do for it; identity.unavailable.
 */
export async function measureAdded(deps: Deps, image: Image, added: readonly ImageLocation[]): Promise<number | null> {
  let sizeBytes = image.sizeBytes;
  for (const location of added) {
    const size = await sizeOf(deps, location);
    if (sizeBytes !== null && size !== sizeBytes)
      throw invalid(`the data there has ${size} bytes, but the image has ${sizeBytes}`);
    sizeBytes = size;
  }
  const { projectBytesMax } = deps.settings;
  if (projectBytesMax !== null && added.length > 0) {
    const used = await deps.images.storageUsed(image.owner);
    if (used + (sizeBytes ?? 0) * added.length > projectBytesMax)
      throw new ServiceError("images.over_limit", `The project's images may have ${projectBytesMax} bytes in all.`, {
        facts: { projectBytesMax },
      });
  }
  // Of the owner, as above: a service adds locations to everybody's images.
  if (added.length > 0)
    await requireWithinLimits(
      deps,
      { projectId: image.owner },
      { image_size_total: mebibytes((sizeBytes ?? 0) * added.length) },
    );
  return sizeBytes;
}

async function sizeOf({ stores }: Deps, location: ImageLocation): Promise<number> {
  let size = 0;
  try {
    size = (await stores.of(location)?.store.size(location.url)) ?? 0;
  } catch (cause) {
    throw invalid("there is no data to be reached at this location", cause);
  }
  if (size > 0) return size;
  throw invalid("the data at this location has no size");
}

function invalid(what: string, cause?: unknown): ServiceError {
  return new ServiceError("images.invalid", `Attribute locations: ${what}.`, { cause });
}
