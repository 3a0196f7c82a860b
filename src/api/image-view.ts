// Images and pages of them as JSON text. Written out by hand: a list spends more time here than in routing, and nearly every string is
// one that needs no escaping.
import type { Image } from "../images/image.ts";
import type { ImagePage } from "../images/services.ts";

export type ImageViewOptions = { readonly showDirectUrl: boolean; readonly showLocations: boolean };

/** Custom properties are top-level members, so one that is called like an attribute (old rows may be) must not appear beside it. */
const attributes: ReadonlySet<string> = new Set([
  "id",
  "name",
  "status",
  "visibility",
  "protected",
  "owner",
  "container_format",
  "disk_format",
  "min_disk",
  "min_ram",
  "size",
  "virtual_size",
  "checksum",
  "created_at",
  "updated_at",
  "tags",
  "self",
  "file",
  "schema",
]);

export function imageJson(image: Image, options: ImageViewOptions): string {
  const self = quote(`/v2/images/${image.id}`);
  const [location] = image.locations;
  const direct = options.showDirectUrl && location ? `,"direct_url":${quote(location.url)}` : "";
  const locations = options.showLocations
    ? `,"locations":${JSON.stringify(image.locations.map(({ url, metadata }) => ({ url, metadata })))}`
    : "";
  return (
    `{"id":${quote(image.id)},"name":${quoteOrNull(image.name)},"status":"${image.status}"` +
    `,"visibility":"${image.visibility}","protected":${image.protected},"owner":${quoteOrNull(image.owner)}` +
    `,"container_format":${quoteOrNull(image.containerFormat)},"disk_format":${quoteOrNull(image.diskFormat)}` +
    `,"min_disk":${image.minDiskGb},"min_ram":${image.minRamMb},"size":${image.sizeBytes}` +
    `,"virtual_size":${image.virtualSizeBytes},"checksum":${quoteOrNull(image.checksum)}` +
    `,"created_at":"${image.createdAt}","updated_at":"${image.updatedAt}","tags":${stringsJson(image.tags)}` +
    `,"self":${self},"file":${self.slice(0, -1)}/file","schema":"/v2/schemas/image"` +
    `${direct}${locations}${propertiesJson(image.properties, direct !== "", locations !== "")}}`
  );
}

export function pageJson(
  page: ImagePage,
  links: { readonly first: string; readonly next: string | null },
  options: ImageViewOptions,
): string {
  let images = "";
  for (const image of page.images)
    images += images === "" ? imageJson(image, options) : `,${imageJson(image, options)}`;
  const next = links.next === null ? "" : `,"next":${quote(links.next)}`;
  return `{"images":[${images}],"first":${quote(links.first)}${next},"schema":"/v2/schemas/images"}`;
}

function propertiesJson(properties: Image["properties"], hasDirectUrl: boolean, hasLocations: boolean): string {
  let text = "";
  for (const name of Object.keys(properties)) {
    if (attributes.has(name) || (hasDirectUrl && name === "direct_url") || (hasLocations && name === "locations"))
      continue;
    // Nulls are left over from version 1 of the API, whose clients could write them.
    text += `,${quote(name)}:${quote(properties[name] ?? "")}`;
  }
  return text;
}

function stringsJson(strings: readonly string[]): string {
  return strings.length === 0 ? "[]" : `[${strings.map(quote).join(",")}]`;
}

function quoteOrNull(text: string | null): string {
  return text === null ? "null" : quote(text);
}

/** Printable ASCII without quote and backslash stands for itself. */
const plain = /^[ !#-[\]-~]*$/;

function quote(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}
