// Custom properties that the operator keeps to some callers (property_protection_file): who may not read one does not learn of it.
import type { Caller, PropertyAction, PropertyProtections } from "../core/caller.ts";
import type { ServiceError } from "../core/errors.ts";
import { forbidden } from "./access.ts";
import type { Image } from "./image.ts";

/** The image without the properties that the caller may not read. */
export function withReadableProperties(
  protections: PropertyProtections | undefined,
  caller: Caller,
  image: Image,
): Image {
  if (!protections) return image;
  const all = Object.entries(image.properties);
  const readable = all.filter(([name]) => protections.allows("read", name, caller));
  return readable.length === all.length ? image : { ...image, properties: Object.fromEntries(readable) };
}

/** `action` is what was refused. */
export function propertyProtected(action: PropertyAction, name: string): ServiceError {
  return forbidden(`You may not ${action} property ${name.slice(0, 80)}: it is protected.`);
}
