// What the data of an added location hashes to, as its adder says (validation_data, from Stein on). It becomes the image's own while the image
// has no data yet; later it may only repeat what is known.
import { getHashes } from "node:crypto";
import { ServiceError } from "../core/errors.ts";
import { hashAlgorithms, hexDigits, openSslName } from "./hash-algorithms.ts";
import type { Image } from "./image.ts";
import type { ImageStatus } from "./status.ts";

export type ValidationData = {
  readonly checksum: string | null;
  readonly hashAlgorithm: string | null;
  readonly hashValue: string | null;
};

export const noValidation: ValidationData = { checksum: null, hashAlgorithm: null, hashValue: null };

/** API names, for people. */
const names = { checksum: "checksum", hashAlgorithm: "os_hash_algo", hashValue: "os_hash_value" } as const;
const keys = ["checksum", "hashAlgorithm", "hashValue"] as const;

/** Throws images.invalid. */
export function parseValidation(value: unknown): ValidationData {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid("it must be an object");
  const given = new Map<string, unknown>(Object.entries(value));
  const text = (name: string): string | null => {
    const found = given.get(name);
    given.delete(name);
    if (found === undefined) return null;
    if (typeof found !== "string") throw invalid(`${name} must be a string`);
    return found;
  };
  const [checksum, algorithm, hashValue] = [text("checksum"), text("os_hash_algo"), text("os_hash_value")];
  const [other] = given.keys();
  if (other !== undefined) throw invalid(`it has no member ${other.slice(0, 80)}`);
  if (algorithm === null || hashValue === null) throw invalid("it needs os_hash_algo and os_hash_value");
  const known = hashAlgorithms.find((one) => one === algorithm);
  if (!known || !getHashes().includes(openSslName(known))) throw invalid("os_hash_algo is not known here");
  if (!isHex(hashValue, hexDigits(known))) throw invalid(`os_hash_value must be ${hexDigits(known)} hex digits`);
  if (checksum !== null && !isHex(checksum, 32)) throw invalid("checksum must be 32 hex digits");
  return { checksum, hashAlgorithm: algorithm, hashValue };
}

/** What is known with `more` beside `before`. Throws images.status_conflict where they contradict each other. */
export function mergedValidation(before: ValidationData, more: ValidationData): ValidationData {
  for (const key of keys)
    if (before[key] !== null && more[key] !== null && before[key] !== more[key])
      throw conflict(`two locations come with different values of ${names[key]}`);
  return {
    checksum: before.checksum ?? more.checksum,
    hashAlgorithm: before.hashAlgorithm ?? more.hashAlgorithm,
    hashValue: before.hashValue ?? more.hashValue,
  };
}

/** Throws images.status_conflict where it would change what the image has, or comes too late to be new. */
export function requireFitting(image: Image, status: ImageStatus, given: ValidationData): void {
  for (const key of keys) {
    if (given[key] === null) continue;
    if (image[key] !== null && image[key] !== given[key]) throw conflict(`${names[key]} of the image is another`);
    if (image[key] === null && status !== "queued")
      throw conflict(`${names[key]} can be given only while the image is queued`);
  }
}

function isHex(text: string, digits: number): boolean {
  return text.length === digits && /^[0-9a-f]*$/i.test(text);
}

function invalid(what: string): ServiceError {
  return new ServiceError("images.invalid", `Attribute locations: validation_data: ${what}.`);
}

function conflict(what: string): ServiceError {
  return new ServiceError("images.status_conflict", `The validation_data of the location does not fit: ${what}.`);
}
