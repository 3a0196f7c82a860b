// Facts about a database between two releases that several acts of the engine ask for.
import { type Release, releaseOf, releases } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { expandStepsOf, stepsOf } from "../releases/steps.ts";
import type { LiveSchema } from "./live-schema.ts";
import { findProgress } from "./progress-store.ts";
import type { Standing } from "./revisions.ts";

/** The row of perennial_progress that stands while a fresh database is being created. */
export const createProgressName = "create";

/** A target that is a release cut off between its revisions has a contract of its own: that of the whole release is still to come. */
export function contractProgressName(release: Release): string {
  const isWhole = release.level === releaseOf(release.id).level;
  return `contract: ${isWhole ? release.id : release.heads.contracted}`;
}

/** In the cursor of that row: nothing is touched yet, but older nodes must not start any more. */
export const contractAnnounced = "announced";
/** In the cursor of that row: steps were begun, so what the release's triggers kept true may no longer be. */
export const contractBegun = "begun";

/** Whether a contract to this release has begun, ours or another tool's: from then on there is no way but forward. */
export async function contractHasBegun(
  db: Pick<Database, "query">,
  release: Release,
  schema: LiveSchema,
): Promise<boolean> {
  if (stepsOf(release.id).showsContract(schema)) return true;
  if (!schema.hasTable("perennial_progress")) return false;
  return (await findProgress(db as Database, contractProgressName(release)))?.cursor === contractBegun;
}

/**
 * The releases with revisions whose contract is still to come on the way to `target`, oldest first; the last one as `target` says it,
 * which may be cut off between its revisions.
 */
export function openReleases({ contractLevel }: Pick<Standing, "contractLevel">, target: Release): readonly Release[] {
  const way = releases.map((release) => (release.id === target.id ? target : release));
  return way.filter(
    ({ revisions, level, order }) => revisions.length > 0 && level > contractLevel && order <= target.order,
  );
}

/** Whether everything the release's expand brings stands in the schema. */
export function isExpanded(release: Release, schema: LiveSchema): boolean {
  return expandStepsOf(release).every((step) => step.isApplied(schema));
}
