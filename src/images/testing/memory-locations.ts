// What a PATCH of locations does to an image of the database in memory.
import { ServiceError } from "../../core/errors.ts";
import type { Image } from "../image.ts";
import type { ImageChanges, LocationChanges } from "../ports.ts";
import type { MemoryDatabase } from "./memory-repositories.ts";

/** The locations as a change leaves them, with a lease on what it removes. */
export function changedLocations(database: MemoryDatabase, row: Image, changes: LocationChanges): Image["locations"] {
  const { add, note, remove, locationsMax, cleanup } = changes;
  const refuse = (code: "images.invalid" | "images.forbidden" | "images.over_limit" | "images.status_conflict") => {
    throw new ServiceError(code, `Locations of image ${row.id}: refused.`);
  };
  if (add.some(({ url }) => row.locations.some((one) => one.url === url))) refuse("images.invalid");
  const noted = new Map(note.map((one) => [one.url, one]));
  const kept = row.locations.filter(({ url }) => !remove.includes(url)).map((one) => noted.get(one.url) ?? one);
  const locations = [...kept, ...add];
  if (locations.length === 0) refuse("images.forbidden");
  if (add.length > 0 && locationsMax >= 0 && locations.length > locationsMax) refuse("images.over_limit");
  if (kept.length < row.locations.length) {
    if (database.leases.has(row.id)) refuse("images.status_conflict");
    const { leaseId, node, leaseSeconds } = cleanup;
    const expiresMs = database.nowMs() + leaseSeconds * 1_000;
    database.leases.set(row.id, { imageId: row.id, leaseId, node, urls: remove, expiresMs });
  }
  return locations;
}

/** An image that got its first location. */
export function activated({ sizeBytes, checksum, hash }: NonNullable<ImageChanges["activation"]>): Partial<Image> {
  const { algorithm: hashAlgorithm = null, value: hashValue = null } = hash ?? {};
  return { status: "active", sizeBytes, checksum, hashAlgorithm, hashValue };
}
