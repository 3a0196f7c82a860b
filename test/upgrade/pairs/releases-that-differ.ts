// The releases between which an upgrade has something to do in the database, and the newest one.
import { newestRelease, type ReleaseId, releases } from "../../../src/releases/catalogue.ts";

/** Oldest first. */
export const stations: readonly ReleaseId[] = releases
  .filter((release) => release.level === 0 || release.revisions.length > 0 || release === newestRelease)
  .map((release) => release.id);
