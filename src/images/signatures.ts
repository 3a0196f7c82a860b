// Images whose owner signed them: the certificate lies in a key manager that nodes do not speak to, so nobody here can verify the data. It is refused
// as the reference refuses what it cannot verify: taken unverified, it would look as if it had been.
import { ServiceError } from "../core/errors.ts";
import type { Image } from "./image.ts";

const signature = [
  "img_signature",
  "img_signature_hash_method",
  "img_signature_key_type",
  "img_signature_certificate_uuid",
] as const;

/** For data that is about to be taken. An incomplete set of these properties asks for nothing. Throws images.invalid. */
export function refuseSigned({ id, properties }: Pick<Image, "id" | "properties">): void {
  if (!signature.every((name) => Object.hasOwn(properties, name))) return;
  throw new ServiceError(
    "images.invalid",
    `The signature of image ${id} cannot be verified: its certificate cannot be fetched here. Without ${signature[3]} the data is taken as it is.`,
    { facts: { imageId: id } },
  );
}
