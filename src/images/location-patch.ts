// PATCH of /locations, which the operator has to switch on (show_multiple_locations): add, replace and remove. The first location makes a
// queued image active.
import { ServiceError } from "../core/errors.ts";
import { jsonText } from "../core/json-text.ts";
import type { Capabilities } from "../releases/capabilities.ts";
import { forbidden } from "./access.ts";
import type { ImageLocation } from "./image.ts";
import { mergedValidation, noValidation, parseValidation, type ValidationData } from "./location-validation.ts";
import type { PatchOperation } from "./services.ts";
import type { ImageSettings } from "./settings.ts";
import type { ImageStatus } from "./status.ts";

export type Given = {
  readonly url: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly validation: ValidationData;
};

export type LocationChange =
  /** A place in the list that is none is refused where the change meets the image, which may refuse it for more. */
  | { readonly of: "locations"; readonly op: "add"; readonly place: string; readonly given: Given }
  | { readonly of: "locations"; readonly op: "replace"; readonly given: readonly Given[] }
  | { readonly of: "locations"; readonly op: "remove"; readonly place: string };

type LocationRules = {
  readonly settings: Pick<ImageSettings, "showLocations">;
  readonly capabilities: Pick<Capabilities, "locationValidation">;
};

/** Throws images.forbidden where locations are not to be changed, images.bad_patch (path), images.invalid (value). */
export function parseLocationChange(
  operation: PatchOperation,
  { settings, capabilities }: LocationRules,
): LocationChange {
  const { op, path, value } = operation;
  if (!settings.showLocations) throw forbidden("Locations cannot be changed here: show_multiple_locations is off.");
  const [, place, ...rest] = path;
  if (rest.length > 0 || (op === "replace") !== (place === undefined))
    throw new ServiceError(
      "images.bad_patch",
      `Path /${path.join("/").slice(0, 80)} cannot be used to ${op} locations.`,
    );
  if (op === "replace") {
    if (!Array.isArray(value)) throw invalid("it must be a list");
    return { of: "locations", op, given: value.map((each) => parseGiven(each, capabilities)) };
  }
  if (op === "add") return { of: "locations", op, place: place ?? "", given: parseGiven(value, capabilities) };
  return { of: "locations", op, place: place ?? "" };
}

/** The locations of an image in the middle of a PATCH. */
export type LocationsInWork = {
  readonly status: ImageStatus;
  readonly locations: readonly ImageLocation[];
  /** What the added ones came with, together. */
  readonly validation: ValidationData;
};

type Noting = {
  /** Makes a location of what is given, or throws. */
  addable(given: Given): ImageLocation;
  /** For a location that stays. */
  otherMetadata(location: ImageLocation, metadata: ImageLocation["metadata"]): ImageLocation["metadata"];
};

/**
 * How the change leaves them.
 * Throws images.status_conflict, images.forbidden, images.bad_patch (place), images.invalid.
 */
export function applyLocationChange(
  work: LocationsInWork,
  change: LocationChange,
  { addable, otherMetadata }: Noting,
): LocationsInWork {
  const { status, locations } = work;
  if (change.op === "replace" && change.given.length === 0)
    throw forbidden("The locations of an image cannot be emptied.");
  if (status !== "active" && (change.op === "remove" || status !== "queued"))
    throw new ServiceError("images.status_conflict", `Locations cannot be changed while the image is ${status}.`);
  if (change.op === "add") {
    parsePlace(change.place, locations.length);
    return withAdded(work, [change.given], addable);
  }
  if (change.op === "remove") {
    if (locations.length === 1) throw forbidden("The last location of an image cannot be removed.");
    const removed = parsePlace(change.place, locations.length - 1);
    if (removed >= locations.length) throw invalid(`there is no location ${removed}`);
    return { ...work, locations: locations.filter((_, index) => index !== removed) };
  }
  if (locations.length === 0) return withAdded(work, change.given, addable);
  const byUrl = new Map(locations.map((location) => [location.url, location]));
  const urls = new Set(change.given.map(({ url }) => url));
  if (urls.size !== change.given.length) throw invalid("a location stands in it twice");
  const replaced = change.given.map(({ url, metadata }) => {
    const location = byUrl.get(url);
    if (!location) throw invalid("it must hold the same locations, with other metadata");
    return { ...location, metadata: otherMetadata(location, metadata) };
  });
  if (replaced.length !== locations.length) throw invalid("it must hold the same locations, with other metadata");
  return { ...work, locations: replaced };
}

function withAdded(work: LocationsInWork, given: readonly Given[], addable: Noting["addable"]): LocationsInWork {
  let { locations, validation } = work;
  for (const one of given) {
    if (locations.some(({ url }) => url === one.url)) throw invalid("a location is there already");
    locations = [...locations, addable(one)];
    validation = mergedValidation(validation, one.validation);
  }
  return { status: "active", locations, validation };
}

/** What the API's schema allows. */
const urlCharsMax = 255;
/** What a column of type text holds on MySQL. */
const metadataBytesMax = 65_535;

/** Throws images.invalid. */
export function parseLocationUrl(url: string): string {
  if (url.length > urlCharsMax) throw invalid(`a url has at most ${urlCharsMax} characters`);
  // Leases hold one URL to a line: a second line would be another image's data.
  if (/^[\x21-\x7e]+$/.test(url)) return url;
  throw invalid("a url has neither blanks nor characters that would have to be encoded");
}

function parseGiven(value: unknown, { locationValidation }: LocationRules["capabilities"]): Given {
  if (!isRecord(value) || typeof value.url !== "string" || value.url === "" || !isRecord(value.metadata))
    throw invalid("a location is an object of url and metadata");
  const { url, metadata } = value;
  parseLocationUrl(url);
  if (
    Buffer.byteLength(JSON.stringify(metadata)) * 6 > metadataBytesMax &&
    jsonText(metadata).length > metadataBytesMax
  )
    throw invalid(`metadata has more than ${metadataBytesMax} bytes`);
  const given = locationValidation ? value.validation_data : undefined;
  return { url, metadata, validation: given === undefined ? noValidation : parseValidation(given) };
}

/** `-` is the end of the list, as `end` has it. Throws images.bad_patch. */
function parsePlace(text: string, end: number): number {
  if (text === "-") return end;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new ServiceError("images.bad_patch", `/locations/${text.slice(0, 80)} is no place in the list.`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(what: string): ServiceError {
  return new ServiceError("images.invalid", `Attribute locations: ${what}.`);
}
