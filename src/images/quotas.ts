// Quotas on one image. A limit below zero means none.
import { ServiceError } from "../core/errors.ts";
import type { ImageSettings } from "./settings.ts";

/** Throws images.over_limit. */
export function requireTagQuota(count: number, { tagsMax }: Pick<ImageSettings, "tagsMax">): void {
  requireWithin("tags", count, tagsMax);
}

/** Throws images.over_limit. */
export function requirePropertyQuota(count: number, { propertiesMax }: Pick<ImageSettings, "propertiesMax">): void {
  requireWithin("properties", count, propertiesMax);
}

function requireWithin(what: string, count: number, max: number): void {
  if (max >= 0 && count > max)
    throw new ServiceError("images.over_limit", `An image may have ${max} ${what}, and would have ${count}.`, {
      facts: { what, count, max },
    });
}
