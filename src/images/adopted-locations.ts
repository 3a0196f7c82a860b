// Locations that name no store of this node: of images older than enabled_backends, or than a store's present name. Each gets the store whose
// URLs begin like its own, and keeps it: written down when the image is first shown, so that every later reader finds it.
import { errorText } from "../core/errors.ts";
import type { Image } from "./image.ts";
import type { ImageServicesDeps } from "./services.ts";

/** The image with a store in each location that can have one. Never throws: what could not be written down is tried again by the next reader. */
export async function withAdoptedLocations(
  { stores, capabilities, images, logger }: ImageServicesDeps,
  image: Image,
): Promise<Image> {
  if (!stores.multiStore || !capabilities.stores.adoption) return image;
  const adopted = image.locations.flatMap((location) => {
    const owner = stores.idIn(location.metadata) === undefined ? stores.ownerOf(location.url) : undefined;
    return owner ? { ...location, metadata: { ...location.metadata, ...stores.metadataFor(owner) } } : [];
  });
  if (adopted.length === 0) return image;
  try {
    await images.noteLocations(image.id, adopted);
  } catch (error) {
    logger.warn({ imageId: image.id, error: errorText(error) }, "the stores of old locations could not be noted");
  }
  const byUrl = new Map(adopted.map((location) => [location.url, location]));
  return { ...image, locations: image.locations.map((location) => byUrl.get(location.url) ?? location) };
}
