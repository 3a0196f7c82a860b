// Unified limits: what a project may have in all, as Keystone says, against what it has. Asked before something is begun, so several that are
// begun at once, or one that grows beyond what it announced, may go over a limit; the next one is refused.
import type { Caller } from "../core/caller.ts";
import { ServiceError } from "../core/errors.ts";
import type { ImageRepository } from "./ports.ts";

/** Sizes are in MiB, begun ones not counted. */
export const limitNames = [
  "image_size_total",
  "image_stage_total",
  "image_count_total",
  "image_count_uploading",
] as const;
export type LimitName = (typeof limitNames)[number];

/** Keystone's word; a limit that is not there is 0. Throws identity.unavailable. Implemented by identity. */
export interface ProjectLimits {
  of(projectId: string | null): Promise<Readonly<Record<string, number>>>;
}

export type LimitUsage = { readonly usage: number; readonly limit: number };

type Deps = { readonly images: ImageRepository; readonly limits?: ProjectLimits };

/** Nothing where limits are not Keystone's. Throws identity.unavailable. */
export async function projectUsage(
  { images, limits }: Deps,
  { projectId }: Pick<Caller, "projectId">,
): Promise<Readonly<Partial<Record<LimitName, LimitUsage>>>> {
  if (!limits) return {};
  const [allowed, used, storedBytes] = await Promise.all([
    limits.of(projectId),
    images.projectUsage(projectId),
    images.storageUsed(projectId),
  ]);
  const usage: Readonly<Record<LimitName, number>> = {
    image_size_total: mebibytes(storedBytes),
    image_stage_total: mebibytes(used.stagedBytes),
    image_count_total: used.images,
    image_count_uploading: used.uploading,
  };
  return Object.fromEntries(limitNames.map((name) => [name, { usage: usage[name], limit: allowed[name] ?? 0 }]));
}

/** `more`: what is about to be added to each limit that matters. Throws images.over_limit, identity.unavailable. */
export async function requireWithinLimits(
  deps: Deps,
  caller: Pick<Caller, "projectId">,
  more: Readonly<Partial<Record<LimitName, number>>>,
): Promise<void> {
  const found = await projectUsage(deps, caller);
  for (const name of limitNames) {
    const added = more[name];
    const one = found[name];
    if (added === undefined || !one || one.usage + added <= one.limit) continue;
    throw new ServiceError(
      "images.over_limit",
      `The project's limit ${name} is ${one.limit}; it has ${one.usage}, and would have ${one.usage + added}.`,
      { facts: { limit: name, max: one.limit, used: one.usage } },
    );
  }
}

export function mebibytes(bytes: number): number {
  return Math.floor(bytes / 2 ** 20);
}
