// The key of an encrypted volume goes with the image that was made of the volume, where its owner has said so. It goes last: an image whose data
// the store keeps is still there, and needs it.
import { errorText } from "../core/errors.ts";
import { volumeKeyPolicy } from "./attributes.ts";
import type { Image } from "./image.ts";
import type { ImageServicesDeps } from "./services.ts";

const keyProperty = "cinder_encryption_key_id";
const removing: (typeof volumeKeyPolicy.values)[number] = "on_image_deletion";

/** Of an image that is deleted. Never throws: the image is gone, and what could not be done stands in the log, as in the reference. */
export async function removeVolumeKey(
  { keys, capabilities, logger }: Pick<ImageServicesDeps, "keys" | "capabilities" | "logger">,
  { id: imageId, properties }: Image,
  token: string | undefined,
): Promise<void> {
  const secretId = properties[keyProperty];
  if (!capabilities.volumeKeys || !secretId || properties[volumeKeyPolicy.property] !== removing) return;
  const facts = { imageId, secretId };
  try {
    const outcome = keys && token !== undefined ? await keys.removeSecret({ token, secretId }) : "absent";
    if (outcome === "removed") logger.info(facts, "the key of a deleted image was removed");
    else logger.warn({ ...facts, outcome }, "the key of a deleted image stays in the key manager, or is not there");
  } catch (error) {
    logger.warn({ ...facts, error: errorText(error) }, "the key of a deleted image could not be removed");
  }
}
