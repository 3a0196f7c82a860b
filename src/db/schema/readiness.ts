// Whether a node of a release may serve from this database now: asked at its start and at every heartbeat, so it costs a few
// small statements. A node of the new release waits for its columns and its data, one of the old release leaves before contract.
import { isServiceError } from "../../core/errors.ts";
import { type Release, releases } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { stepsOf } from "../releases/steps.ts";
import { nodeLiveSeconds } from "./own-tables.ts";
import { DatabaseProgress } from "./progress-store.ts";
import { halfRestoredText, restoreMarkerTable } from "./restore-marker.ts";
import { readStanding, releaseAt, type Standing } from "./revisions.ts";
import { presentTables } from "./schema-tools.ts";
import { contractAnnounced, contractBegun, contractProgressName, openReleases } from "./standing-facts.ts";

export type Readiness =
  | { readonly ready: true }
  | {
      readonly ready: false;
      /** For people: what is missing, and which command is due. */
      readonly why: string;
      readonly due: "sync" | "expand" | "migrate" | "contract" | "restore" | "newer_release";
    };

const notReady = (due: Exclude<Readiness, { ready: true }>["due"], why: string): Readiness => ({
  ready: false,
  due,
  why,
});

/** Changes nothing. Throws db errors; what it finds about the schema is an answer, not an error. */
export async function databaseReadiness(db: Database, release: Release): Promise<Readiness> {
  const tables = await presentTables(db);
  if (tables.has(restoreMarkerTable)) return notReady("restore", halfRestoredText);
  let standing: Standing;
  try {
    standing = await readStanding(db, { hasTable: (name) => tables.has(name) });
  } catch (error) {
    if (!isServiceError(error, "schema.unknown_revision")) throw error;
    return notReady("newer_release", error.message);
  }
  if (standing.contractLevel < 0 || !tables.has("images"))
    return notReady("sync", "the database is not complete: run `glance-manage db sync`");
  if (standing.contractLevel > release.level) {
    const at = releaseAt(standing.contractLevel)?.id;
    return notReady("newer_release", `the database is contracted to ${at}, which ${release.id} cannot use`);
  }
  if (standing.expandLevel < release.level)
    return notReady("expand", `the database is at ${standing.heads.join(", ")}: run \`glance-manage db expand\``);
  const under = await contractUnderWay(db, tables, release);
  if (under)
    return notReady("newer_release", `the database is being contracted to ${under.id}, which ${release.id} cannot use`);
  const progress = await DatabaseProgress.reader(db);
  for (const open of openReleases(standing, release))
    for (const backfill of stepsOf(open.id).migrate)
      if (backfill.neededToServe && (await backfill.pending(db, 1, progress)) > 0)
        return notReady(
          "migrate",
          `rows wait for "${backfill.name}": run \`glance-manage db migrate\` until it is complete`,
        );
  return { ready: true };
}

/** A newer release whose contract has begun, or is being decided on at this moment. */
async function contractUnderWay(
  db: Database,
  tables: ReadonlySet<string>,
  release: Release,
): Promise<Release | undefined> {
  const newer = releases.filter((one) => one.level > release.level);
  if (newer.length === 0 || !tables.has("perennial_progress")) return undefined;
  const rows = await db.query<{ name: string; cursor_text: string | null; s: number }>(
    `SELECT name, cursor_text, ${db.dialect.secondsSinceSql("updated_at")} AS s FROM perennial_progress
     WHERE name IN (${newer.map(() => "?").join(", ")})`,
    newer.map(contractProgressName),
  );
  // An announcement that nobody followed up is a contract that died before its first step.
  const counts = (row: { cursor_text: string | null; s: number }) =>
    row.cursor_text === contractBegun || (row.cursor_text === contractAnnounced && Number(row.s) < nodeLiveSeconds);
  const names = new Set(rows.filter(counts).map((row) => row.name));
  return newer.find((one) => names.has(contractProgressName(one)));
}
