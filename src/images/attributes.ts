// The attributes of an image under their API names: which of them clients may set, and the value each of them takes.
// Everything not named here is a custom property, whose value is a string.
import { ServiceError } from "../core/errors.ts";
import type { Capabilities, Visibility } from "../releases/capabilities.ts";
import type { ImageDraft } from "./image.ts";
import { serviceAttributeProblem, serviceAttributes } from "./service-attributes.ts";
import type { ImageSettings } from "./settings.ts";

/** Base attributes clients may set, by API name; the values are the domain's own names. */
export const writableAttributes = {
  id: "id",
  name: "name",
  visibility: "visibility",
  protected: "protected",
  os_hidden: "hidden",
  owner: "owner",
  container_format: "containerFormat",
  disk_format: "diskFormat",
  min_disk: "minDiskGb",
  min_ram: "minRamMb",
  tags: "tags",
} as const satisfies Readonly<Record<string, keyof ImageDraft>>;

export type WritableAttribute = keyof typeof writableAttributes;

const links = ["self", "file", "schema", "direct_url"] as const;
const linksOfAny: ReadonlySet<string> = new Set([...links, "stores"]);

const ofService: ReadonlySet<string> = new Set(serviceAttributes);
const refusedOnCreate: ReadonlySet<string> = new Set([...serviceAttributes, ...links, "deleted", "deleted_at"]);
/** Locations may be changed. */
const refusedOnUpdate: ReadonlySet<string> = new Set([
  ...[...refusedOnCreate].filter((name) => name !== "locations"),
  "id",
  "location",
]);

/** Set by uploads alone. A new image may come with values for them, as one copied from another cloud does; they are checked and forgotten. */
const hashes: Readonly<Record<string, { readonly charsMax: number }>> = {
  os_hash_algo: { charsMax: 64 },
  os_hash_value: { charsMax: 128 },
};

const baseAttributes: ReadonlySet<string> = new Set([
  ...Object.keys(writableAttributes),
  ...serviceAttributes,
  ...links,
  ...Object.keys(hashes),
  "stores",
]);

/** What POST refuses (403). Other names, `location` at most releases, are ordinary properties there. */
export function isRefusedOnCreate(name: string, capabilities: Capabilities): boolean {
  return refusedOnCreate.has(name) || capabilities.refusedOnCreate.includes(name) || isReserved(name, capabilities);
}

/** Whether it is a link to the image or to its data, which no client sets. */
export function isLink(name: string): boolean {
  return linksOfAny.has(name);
}

/** Throws images.invalid where the value of a name that POST refuses could be none that the attribute, or a property of that name, has. */
export function checkRefused(name: string, value: unknown, capabilities: Capabilities): void {
  const problem = serviceAttributeProblem(name, value, capabilities);
  if (problem !== null) throw invalid(name, problem);
  if (!ofService.has(name) && typeof value !== "string") throw invalid(name, "it must be a string");
}

/** What PATCH refuses (403), whatever the operation. */
export function isRefusedOnUpdate(name: string, capabilities: Capabilities): boolean {
  return refusedOnUpdate.has(name) || isHash(name, capabilities) || isReserved(name, capabilities);
}

/** Properties that are the service's own. */
export function isReserved(name: string, { reservedProperties }: Capabilities): boolean {
  return reservedProperties?.test(name) ?? false;
}

export function isHash(name: string, { multihash }: Capabilities): boolean {
  return multihash && Object.hasOwn(hashes, name);
}

/** Throws images.invalid where it is no hash at all. */
export function checkGivenHash(name: string, value: unknown): void {
  const { charsMax = 0 } = hashes[name] ?? {};
  if (value !== null && (typeof value !== "string" || codePoints(value, charsMax) > charsMax))
    throw invalid(name, `it must be null or a string of at most ${charsMax} characters`);
}

/** Of whatever release: no property that an operator describes may be called so. */
export function isBaseAttribute(name: string): boolean {
  return baseAttributes.has(name);
}

/** Elsewhere the name of an attribute that a later release brought is that of a property. */
export function isWritableAttribute(name: string, { hiding }: Capabilities): name is WritableAttribute {
  return Object.hasOwn(writableAttributes, name) && (hiding || name !== "os_hidden");
}

const textLengthMax = 255;
const numberMax = 2_147_483_647;
/** What a column of type text holds on MySQL. */
const propertyBytesMax = 65_535;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Properties of the reference's own schema-image.json that are more than strings: the id of another image, or null. */
const imageIdProperties: ReadonlySet<string> = new Set(["kernel_id", "ramdisk_id"]);

/** What becomes of the key of an encrypted volume when its image is deleted. */
export const volumeKeyPolicy = {
  property: "cinder_encryption_key_deletion_policy",
  values: ["on_image_deletion", "do_not_delete"],
} as const;

export type AttributeRules = {
  readonly capabilities: Capabilities;
  readonly settings: Pick<ImageSettings, "containerFormats" | "diskFormats" | "propertySchemas">;
};

type Parsers = {
  readonly [K in WritableAttribute]: (
    value: unknown,
    rules: AttributeRules,
  ) => ImageDraft[(typeof writableAttributes)[K]];
};

const parsers: Parsers = {
  id: (value) => {
    if (typeof value === "string" && uuid.test(value)) return value;
    throw invalid("id", "it must be a UUID");
  },
  name: (value) => (value === null ? null : parseText("name", value)),
  owner: (value) => (value === null ? null : parseText("owner", value)),
  visibility: (value, { capabilities }) => {
    const found = capabilities.visibilities.find((visibility) => visibility === value);
    if (found) return found;
    throw invalid("visibility", `it must be one of ${capabilities.visibilities.join(", ")}`);
  },
  protected: (value) => parseFlag("protected", value),
  os_hidden: (value) => parseFlag("os_hidden", value),
  container_format: (value, { settings }) => parseFormat("container_format", value, settings.containerFormats),
  disk_format: (value, { settings }) => parseFormat("disk_format", value, settings.diskFormats),
  min_disk: (value) => parseNumber("min_disk", value),
  min_ram: (value) => parseNumber("min_ram", value),
  tags: (value) => {
    if (!Array.isArray(value)) throw invalid("tags", "it must be a list of strings");
    return [...new Set(value.map((tag) => parseTag(tag)))];
  },
};

/** One checked value of a base attribute, in the domain's own form. Throws images.invalid, which names the attribute. */
export function parseAttribute<K extends WritableAttribute>(
  name: K,
  value: unknown,
  rules: AttributeRules,
): ImageDraft[(typeof writableAttributes)[K]] {
  return parsers[name](value, rules);
}

/** Throws images.invalid. */
export function parseTag(value: unknown): string {
  return parseText("tags", value);
}

/** A custom property's value as it is kept; null only where a schema has it. Throws images.invalid. */
export function parseProperty(name: string, value: unknown, rules: AttributeRules): string | null {
  if (name.length > textLengthMax) throw invalid(name, `a property's name has at most ${textLengthMax} characters`);
  requireStorable(name, name);
  const text = propertyText(name, value, rules);
  if (text === null) return null;
  requireStorable(name, text);
  if (Buffer.byteLength(text) > propertyBytesMax) throw invalid(name, `it has at most ${propertyBytesMax} bytes`);
  return text;
}

/** By the operator's schemas where there are any, else by the reference's own. */
function propertyText(name: string, value: unknown, { capabilities, settings }: AttributeRules): string | null {
  const { propertySchemas } = settings;
  const problem = propertySchemas ? propertySchemas.problem(name, value) : knownProblem(name, value, capabilities);
  if (typeof problem === "string") throw invalid(name, problem);
  if (problem === undefined && typeof value !== "string") throw invalid(name, "it must be a string");
  return keptText(name, value);
}

/** null: there is none; undefined: no schema knows the property. */
function knownProblem(name: string, value: unknown, { volumeKeys }: Capabilities): string | null | undefined {
  if (imageIdProperties.has(name)) {
    const fits = value === null || (typeof value === "string" && uuid.test(value));
    return fits ? null : "it must be the UUID of an image, or null";
  }
  if (!volumeKeys || name !== volumeKeyPolicy.property) return undefined;
  const fits = volumeKeyPolicy.values.some((known) => known === value);
  return fits ? null : `it must be one of ${volumeKeyPolicy.values.join(", ")}`;
}

/** Properties are kept as text: a number or a truth value that a schema allows is shown as such from then on. */
function keptText(name: string, value: unknown): string | null {
  if (value === null || typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw invalid(name, "lists and objects cannot be kept");
}

/** Visibilities whose use the operator's policy decides. */
export const visibilityPolicies: Readonly<Partial<Record<Visibility, string>>> = {
  public: "publicize_image",
  community: "communitize_image",
};

/** Throws images.invalid where `value` is no text of 255 characters that every database of ours can hold. */
export function parseText(name: string, value: unknown): string {
  if (typeof value !== "string") throw invalid(name, "it must be a string");
  if (codePoints(value, textLengthMax) > textLengthMax)
    throw invalid(name, `it has at most ${textLengthMax} characters`);
  requireStorable(name, value);
  return value;
}

function parseFormat(name: string, value: unknown, formats: readonly string[]): string | null {
  if (value === null || (typeof value === "string" && formats.includes(value))) return value;
  throw invalid(name, `it must be null or one of ${formats.join(", ")}`);
}

function parseFlag(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw invalid(name, "it must be true or false");
}

function parseNumber(name: string, value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= numberMax) return value;
  throw invalid(name, `it must be a whole number from 0 to ${numberMax}`);
}

/** The tables are utf8mb3: characters beyond the basic plane would be an error of the database, and half a pair is no text at all. */
function requireStorable(name: string, text: string): void {
  if (/[\0\u{10000}-\u{10FFFF}\p{Surrogate}]/u.test(text))
    throw invalid(name, "NUL and characters beyond Unicode's basic plane cannot be stored");
}

/** Only counted where it matters: no text has more of them than it has units. */
function codePoints(text: string, enough: number): number {
  return text.length <= enough ? text.length : [...text].length;
}

function invalid(name: string, what: string): ServiceError {
  const shown = name.length > 80 ? `${name.slice(0, 80)}...` : name;
  return new ServiceError("images.invalid", `Attribute ${shown}: ${what}.`, { facts: { attribute: shown } });
}
