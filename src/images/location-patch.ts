// PATCH of /locations, which the operator has to switch on (show_multiple_locations). Clients may change metadata and take locations away; new
// ones they may add only in stores whose data they could have put there themselves, of which this node has none: file locations are the
// service's own, and a URL of a client's choosing must never make it read a file.
import { ServiceError } from "../core/errors.ts";
import { forbidden } from "./access.ts";
import type { ImageLocation } from "./image.ts";
import type { PatchOperation } from "./services.ts";
import type { ImageSettings } from "./settings.ts";
import type { ImageStatus } from "./status.ts";

type Given = { readonly url: string; readonly metadata: Readonly<Record<string, unknown>> };

export type LocationChange =
  | { readonly of: "locations"; readonly op: "add"; readonly given: Given }
  | { readonly of: "locations"; readonly op: "replace"; readonly given: readonly Given[] }
  | { readonly of: "locations"; readonly op: "remove"; readonly index: number };

/** Throws images.forbidden where locations are not to be changed, images.bad_patch (path), images.invalid (value). */
export function parseLocationChange(
  operation: PatchOperation,
  settings: Pick<ImageSettings, "showLocations">,
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
    if (value.length === 0) throw forbidden("The locations of an image cannot be emptied.");
    return { of: "locations", op, given: value.map(parseGiven) };
  }
  if (op === "add") {
    if (place !== "-") parseIndex(place ?? "");
    return { of: "locations", op, given: parseGiven(value) };
  }
  return { of: "locations", op, index: parseIndex(place ?? "") };
}

/** The list as the change leaves it. Throws images.status_conflict, images.forbidden, images.invalid. */
export function applyLocationChange(
  status: ImageStatus,
  locations: readonly ImageLocation[],
  change: LocationChange,
): readonly ImageLocation[] {
  if (status !== "active" && (change.op === "remove" || status !== "queued"))
    throw new ServiceError("images.status_conflict", `Locations cannot be changed while the image is ${status}.`);
  if (change.op === "add") throw refused(change.given.url);
  if (change.op === "remove") {
    if (change.index >= locations.length) throw invalid(`there is no location ${change.index}`);
    if (locations.length === 1) throw forbidden("The last location of an image cannot be removed.");
    return locations.filter((_, index) => index !== change.index);
  }
  const byUrl = new Map(locations.map((location) => [location.url, location]));
  const urls = new Set(change.given.map(({ url }) => url));
  if (urls.size !== change.given.length) throw invalid("a location stands in it twice");
  const replaced = change.given.map(({ url, metadata }) => {
    const location = byUrl.get(url);
    if (!location) throw refused(url);
    return { ...location, metadata };
  });
  if (replaced.length !== locations.length) throw invalid("it must hold the same locations, with other metadata");
  return replaced;
}

function parseGiven(value: unknown): Given {
  if (!isRecord(value) || typeof value.url !== "string" || value.url === "" || !isRecord(value.metadata))
    throw invalid("a location is an object of url and metadata");
  return { url: value.url, metadata: value.metadata };
}

function parseIndex(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new ServiceError("images.bad_patch", `/locations/${text.slice(0, 80)} is no place in the list.`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refused(url: string): ServiceError {
  const scheme = /^([a-z][a-z0-9+.-]{0,30}):/i.exec(url)?.[1] ?? "such";
  return invalid(`${scheme} locations cannot be given by clients of this service`);
}

function invalid(what: string): ServiceError {
  return new ServiceError("images.invalid", `Attribute locations: ${what}.`);
}
