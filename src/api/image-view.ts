// Images and pages of them as JSON text. A list spends more time here than in routing: objects of one shape and one call of the
// engine's own stringifier were the fastest of what was tried, text written by hand included.
import type { Image } from "../images/image.ts";
import type { ImagePage } from "../images/services.ts";
import type { ImageSettings } from "../images/settings.ts";
import type { Capabilities } from "../releases/capabilities.ts";
import { isKnownProperty } from "./schemas.ts";

/** What the operator lets clients see, and what the release has to show. */
export type ImageViewOptions = Pick<
  ImageSettings,
  "showDirectUrl" | "showLocations" | "multiStore" | "propertySchemas"
> &
  Pick<Capabilities, "hiding" | "multihash" | "unshownProperties">;
type View = Record<string, unknown>;

export function imageJson(image: Image, options: ImageViewOptions): string {
  return JSON.stringify(imageView(image, options));
}

export function pageJson(
  page: ImagePage,
  links: { readonly first: string; readonly next: string | null },
  options: ImageViewOptions,
): string {
  const images = page.images.map((image) => imageView(image, options));
  const next = links.next === null ? {} : { next: links.next };
  return JSON.stringify({ images, first: links.first, ...next, schema: "/v2/schemas/images" });
}

function imageView(image: Image, options: ImageViewOptions): View {
  const self = `/v2/images/${image.id}`;
  const view: View = {
    id: image.id,
    name: image.name,
    status: image.status,
    visibility: image.visibility,
    protected: image.protected,
    owner: image.owner,
    container_format: image.containerFormat,
    disk_format: image.diskFormat,
    min_disk: image.minDiskGb,
    min_ram: image.minRamMb,
    size: image.sizeBytes,
    virtual_size: image.virtualSizeBytes,
    checksum: image.checksum,
    created_at: image.createdAt,
    updated_at: image.updatedAt,
    tags: image.tags,
    self,
    file: `${self}/file`,
    schema: "/v2/schemas/image",
  };
  if (options.hiding) view.os_hidden = image.hidden;
  if (options.multihash) {
    view.os_hash_algo = image.hashAlgorithm;
    view.os_hash_value = image.hashValue;
  }
  const [location] = image.locations;
  if (options.showDirectUrl && location) view.direct_url = location.url;
  if (options.showLocations) view.locations = image.locations.map(({ url, metadata }) => ({ url, metadata }));
  if (options.multiStore) addStores(view, image.locations);
  addProperties(view, image.properties, options);
  return view;
}

/** Absent where no location names a store. Rocky and Stein wrote another key than later releases do. */
function addStores(view: View, locations: Image["locations"]): void {
  const ids = locations
    .map(({ metadata }) => metadata.store ?? metadata.backend)
    .filter((id) => typeof id === "string");
  if (ids.length > 0) view.stores = ids.join(",");
}

/** Custom properties are top-level members; one that is called like an attribute (old rows may be) does not hide it. */
function addProperties(view: View, properties: Image["properties"], options: ImageViewOptions): void {
  for (const name of Object.keys(properties)) {
    if (options.unshownProperties.includes(name)) continue;
    // Where no schema allows them, nulls are left over from version 1 of the API, whose clients could write them.
    const value = properties[name] ?? (isKnownProperty(name, options) ? null : "");
    if (name === "__proto__") Object.defineProperty(view, name, { value, enumerable: true, configurable: true });
    else if (!Object.hasOwn(view, name)) view[name] = value;
  }
}
