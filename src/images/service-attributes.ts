// Attributes that the service alone sets. A new image may not come with them; but as beside the reference a value that could be none of theirs
// is a mistake in the request (400), before it is one to have sent it (403).
import type { Capabilities } from "../releases/capabilities.ts";
import { statusesOf } from "./status.ts";

type Check = (value: unknown, capabilities: Capabilities) => string | null;

const text: Check = (value) => (typeof value === "string" ? null : "it must be a string");
const count: Check = (value) =>
  value === null || Number.isInteger(value) ? null : "it must be null or a whole number";

const checks = {
  status: (value, { importing }) => {
    const known = statusesOf({ importing });
    return known.some((one) => one === value) ? null : `it must be one of ${known.join(", ")}`;
  },
  checksum: (value) =>
    value === null || (typeof value === "string" && [...value].length <= 32)
      ? null
      : "it must be null or a string of at most 32 characters",
  size: count,
  virtual_size: count,
  created_at: text,
  updated_at: text,
  locations: (value) => {
    if (!Array.isArray(value)) return "it must be a list";
    return value.every(isLocation) ? null : "each needs a url of at most 255 characters and an object as its metadata";
  },
} as const satisfies Readonly<Record<string, Check>>;

export type ServiceAttribute = keyof typeof checks;

export const serviceAttributes = Object.keys(checks) as readonly ServiceAttribute[];

/** What is wrong with the value, a phrase; null: nothing, or the attribute is none of these. */
export function serviceAttributeProblem(name: string, value: unknown, capabilities: Capabilities): string | null {
  const check = Object.hasOwn(checks, name) ? checks[name as ServiceAttribute] : undefined;
  return check?.(value, capabilities) ?? null;
}

/** As the published schema describes one; what it is to hash to is looked at where locations may be given. */
function isLocation(given: unknown): boolean {
  if (typeof given !== "object" || given === null) return false;
  const { url, metadata } = given as { readonly url?: unknown; readonly metadata?: unknown };
  return typeof url === "string" && [...url].length <= 255 && isObject(metadata);
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
