// PATCH in two steps. First every operation is checked by itself, which needs no image; then all are applied in order to a copy of the image
// in memory. The first one that fails throws, so the database sees either the outcome of all of them or nothing.
import type { PropertyAction } from "../core/caller.ts";
import { ServiceError } from "../core/errors.ts";
import type { Visibility } from "../releases/capabilities.ts";
import { forbidden } from "./access.ts";
import {
  type AttributeRules,
  isRefusedOnUpdate,
  isReserved,
  isWritableAttribute,
  parseAttribute,
  parseProperty,
  type WritableAttribute,
  writableAttributes,
} from "./attributes.ts";
import type { Image, ImageLocation } from "./image.ts";
import {
  applyLocationChange,
  type LocationChange,
  type LocationsInWork,
  parseLocationChange,
} from "./location-patch.ts";
import { noValidation, requireFitting, type ValidationData } from "./location-validation.ts";
import type { ImageChanges, LocationChanges } from "./ports.ts";
import { propertyProtected } from "./protected-properties.ts";
import { requirePropertyQuota, requireTagQuota } from "./quotas.ts";
import type { ImagePatch, PatchOperation } from "./services.ts";
import type { ImageSettings } from "./settings.ts";

export type Change =
  | {
      readonly of: "attribute";
      readonly op: PatchOperation["op"];
      readonly name: WritableAttribute;
      readonly value: unknown;
    }
  | { readonly of: "property"; readonly op: PatchOperation["op"]; readonly name: string; readonly value: string | null }
  | LocationChange;

type CheckRules = AttributeRules & { readonly settings: Pick<ImageSettings, "showLocations"> };

/** What can be said without the image. Throws images.bad_patch (path), images.forbidden (name), images.invalid (value). */
export function checkPatch(operations: readonly PatchOperation[], rules: CheckRules): readonly Change[] {
  return operations.map((operation) => checkOperation(operation, rules));
}

function checkOperation(operation: PatchOperation, rules: CheckRules): Change {
  const { op, path, value } = operation;
  const { capabilities } = rules;
  const [name] = path;
  if (name === undefined || name === "") throw badPath(path, "names no attribute");
  if (name === "locations") return parseLocationChange(operation, rules);
  if (path.length !== 1) throw badPath(path, "leads into an attribute");
  if (isRefusedOnUpdate(name, capabilities))
    throw forbidden(`Attribute ${name.slice(0, 80)} is set by the service alone.`);
  if (op !== "remove" && value === undefined)
    throw new ServiceError("images.bad_patch", `Operation ${op} of /${name.slice(0, 80)} needs a value.`);
  if (!isWritableAttribute(name, capabilities))
    return { of: "property", op, name, value: op === "remove" ? null : parseProperty(name, value, rules) };
  if (op === "remove") throw forbidden(`Attribute ${name} cannot be removed.`);
  parseAttribute(name, value, rules);
  return { of: "attribute", op, name, value };
}

export type ApplyRules = CheckRules & {
  readonly settings: ImageSettings;
  readonly isAdmin: boolean;
  /** What the operator's protection of properties says. */
  isPropertyAllowed(action: PropertyAction, name: string): boolean;
  readonly addRefusesExisting: ImagePatch["addRefusesExisting"];
  /** Throws images.forbidden where policy keeps this visibility to others. */
  requireVisibility(visibility: Visibility): void;
  /** Throws images.forbidden where policy refuses the change of a location. */
  requireLocationPolicy(rule: "set_image_location" | "delete_image_location"): void;
  /** Throws images.invalid where clients may not add such a location. */
  addableLocation(given: Omit<ImageLocation, "status">): ImageLocation;
  /** What is noted for a location that stays and is given other metadata. */
  otherMetadata(location: ImageLocation, metadata: ImageLocation["metadata"]): ImageLocation["metadata"];
};

/** What a PATCH makes of an image, before it is known what the data of added locations is. */
export type PatchOutcome = Omit<ImageChanges, "locations" | "activation"> & {
  readonly locations?: Pick<LocationChanges, "add" | "note" | "remove">;
  /** The image becomes active, with hashes as they were given. */
  readonly activates?: ValidationData;
};

/** Applies checked changes to a copy of `image`. Throws images.forbidden, images.property_conflict, images.status_conflict, images.over_limit. */
export function applyPatch(image: Image, changes: readonly Change[], rules: ApplyRules): PatchOutcome {
  const copy = new PatchedImage(image, rules);
  for (const change of changes) copy.apply(change);
  return copy.outcome();
}

class PatchedImage {
  readonly #image: Image;
  readonly #rules: ApplyRules;
  readonly #set: { -readonly [K in keyof ImageChanges["set"]]: ImageChanges["set"][K] } = {};
  readonly #properties: Map<string, string | null>;
  #tags: readonly string[] | undefined;
  #work: LocationsInWork;
  #formatsTouched = false;

  constructor(image: Image, rules: ApplyRules) {
    this.#image = image;
    this.#rules = rules;
    this.#properties = new Map(Object.entries(image.properties));
    this.#work = { status: image.status, locations: image.locations, validation: noValidation };
  }

  apply(change: Change): void {
    if (change.of === "attribute") this.#applyAttribute(change);
    else if (change.of === "property") this.#applyProperty(change);
    else {
      this.#rules.requireLocationPolicy(change.op === "remove" ? "delete_image_location" : "set_image_location");
      this.#work = applyLocationChange(this.#work, change, {
        addable: ({ url, metadata }) => this.#rules.addableLocation({ url, metadata }),
        otherMetadata: this.#rules.otherMetadata,
      });
      requireFitting(this.#image, this.#image.status, this.#work.validation);
    }
  }

  outcome(): PatchOutcome {
    const before = new Map(Object.entries(this.#image.properties));
    const set = [...this.#properties].filter(([name, value]) => !before.has(name) || before.get(name) !== value);
    const remove = [...before.keys()].filter((name) => !this.#properties.has(name));
    // Images that are over a quota lowered since may still be changed, only not grow.
    if (set.some(([name]) => !before.has(name))) {
      const own = [...this.#properties.keys()].filter((name) => !isReserved(name, this.#rules.capabilities));
      requirePropertyQuota(own.length, this.#rules.settings);
    }
    return {
      set: this.#set,
      ...(this.#tags && !sameSet(this.#tags, this.#image.tags) ? { tags: this.#tags } : {}),
      ...(set.length + remove.length > 0 ? { properties: { set: Object.fromEntries(set), remove } } : {}),
      ...this.#locationOutcome(),
      ...(this.#formatsTouched ? { whileStatus: ["queued"] as const } : {}),
    };
  }

  #locationOutcome(): Pick<PatchOutcome, "locations" | "activates" | "whileStatus"> {
    const { status, locations, validation } = this.#work;
    if (locations === this.#image.locations) return {};
    const before = new Map(this.#image.locations.map((location) => [location.url, location]));
    const after = new Set(locations.map(({ url }) => url));
    const changes = {
      add: locations.filter(({ url }) => !before.has(url)),
      note: locations.filter((location) => before.has(location.url) && before.get(location.url) !== location),
      remove: [...before.keys()].filter((url) => !after.has(url)),
    };
    if (this.#image.status === "active") return { locations: changes, whileStatus: ["active"] };
    const formats = { ...this.#image, ...this.#set };
    if (status === "active" && (formats.diskFormat === null || formats.containerFormat === null))
      throw new ServiceError("images.invalid", "Set disk_format and container_format before the first location.");
    return { locations: changes, activates: validation, whileStatus: ["queued"] };
  }

  #applyAttribute({ op, name, value }: Extract<Change, { of: "attribute" }>): void {
    // Base attributes always exist, null or not.
    if (op === "add" && this.#rules.addRefusesExisting) throw conflict(`Attribute ${name} exists already.`);
    switch (name) {
      case "id":
        throw forbidden("The id of an image cannot change.");
      case "tags":
        this.#tags = parseAttribute(name, value, this.#rules);
        requireTagQuota(this.#tags.length, this.#rules.settings);
        return;
      case "owner":
        // Clients that write back what they read name the owner too; that changes nothing.
        if (!this.#rules.isAdmin && value !== this.#image.owner)
          throw forbidden("Only an admin may change the owner of an image.");
        break;
      case "visibility":
        this.#rules.requireVisibility(parseAttribute(name, value, this.#rules));
        break;
      case "container_format":
      case "disk_format":
        if (this.#image.status !== "queued")
          throw forbidden(`Attribute ${name} can change only while the image is queued; it is ${this.#image.status}.`);
        this.#formatsTouched = true;
    }
    Object.assign(this.#set, { [writableAttributes[name]]: parseAttribute(name, value, this.#rules) });
  }

  #applyProperty({ op, name, value }: Extract<Change, { of: "property" }>): void {
    // One that the caller may not read does not exist for them.
    const exists = this.#properties.has(name) && this.#rules.isPropertyAllowed("read", name);
    if (op === "add" && exists && this.#rules.addRefusesExisting) throw conflict(`Property ${name} exists already.`);
    if (op !== "add" && !exists) throw conflict(`Property ${name} does not exist.`);
    const action = op === "remove" ? "delete" : exists ? "update" : "create";
    if (!this.#rules.isPropertyAllowed(action, name)) throw propertyProtected(action, name);
    if (op === "remove") this.#properties.delete(name);
    else this.#properties.set(name, value);
  }
}

function conflict(message: string): ServiceError {
  return new ServiceError("images.property_conflict", message);
}

function badPath(path: readonly string[], what: string): ServiceError {
  return new ServiceError("images.bad_patch", `Path /${path.join("/").slice(0, 80)} ${what}.`);
}

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  const members = new Set(one);
  return members.size === new Set(other).size && other.every((item) => members.has(item));
}
