// What somebody altered by hand in an expanded schema: everything that the expand steps of releases under way made is compared with what
// they make. Before a phase, so that it says what differs and what to do instead of going on from something else than it believes.
import type { Release } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { expandStepsOf } from "../releases/steps.ts";
import type { Findings } from "./findings.ts";
import { readStanding } from "./revisions.ts";
import { readLiveSchema } from "./schema-tools.ts";
import { contractHasBegun, openReleases } from "./standing-facts.ts";

/** Throws schema.unknown_revision. */
export async function findAltered(db: Database, target: Release): Promise<Findings> {
  const schema = await readLiveSchema(db);
  const standing = await readStanding(db, schema);
  const problems: string[] = [];
  const notes: string[] = [];
  for (const release of openReleases(standing, target)) {
    // From then on what expand made is being changed and taken away by contract itself.
    if (await contractHasBegun(db, release, schema)) continue;
    for (const step of expandStepsOf(release)) {
      const found = step.difference?.(schema, db.dialect.name);
      if (found) (found.harmless ? notes : problems).push(found.text);
    }
  }
  return { problems, notes };
}
