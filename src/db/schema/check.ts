// Where a database stands on the way to a release, and which phase is due; changes nothing.
import type { Release } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { hasPendingData } from "./migrate.ts";
import { readHeads, readStanding, refuseOlderTarget, releaseAt, type Standing } from "./revisions.ts";
import { readLiveSchema } from "./schema-tools.ts";
import { contractHasBegun, isExpanded, openReleases } from "./standing-facts.ts";

export type CheckResult = {
  readonly due: "nothing" | "expand" | "migrate" | "contract";
  readonly heads: readonly string[];
  /** The newest release whose expand, and whose contract, is done; null below the catalogue. */
  readonly expanded: string | null;
  readonly contracted: string | null;
};

/** Throws schema.unknown_revision, schema.out_of_order (the database is past the target). */
export async function check(db: Database, target: Release): Promise<CheckResult> {
  const schema = await readLiveSchema(db);
  const standing = await readStanding(db, schema);
  const about = {
    heads: standing.heads,
    expanded: releaseAt(standing.expandLevel)?.id ?? null,
    contracted: releaseAt(standing.contractLevel)?.id ?? null,
  };
  refuseOlderTarget(standing, target);
  if (standing.contractLevel >= target.level) return { due: "nothing", ...about };
  if (standing.expandLevel < target.level) return { due: "expand", ...about };
  for (const release of openReleases(standing, target)) {
    // Another tool's expand may have left out what a mixed fleet needs; past the start of contract nothing is to be added.
    const begun = await contractHasBegun(db, release, schema);
    if (!begun && !isExpanded(release, schema)) return { due: "expand", ...about };
  }
  if (await hasPendingData({ db, target }, standing)) return { due: "migrate", ...about };
  return { due: "contract", ...about };
}

/** The heads alone, whatever they are: what `db version` prints. Throws schema.unknown_revision for a schema older than Liberty's. */
export async function readVersion(db: Database): Promise<Pick<Standing, "heads" | "legacy">> {
  return readHeads(db, await readLiveSchema(db));
}
