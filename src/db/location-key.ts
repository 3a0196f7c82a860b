// Whether a node's key is the one that the database's locations were written with, asked before it serves.
import { isServiceError, ServiceError } from "../core/errors.ts";
import type { Database } from "./database.ts";
import { isUnreadable } from "./location-urls.ts";
import { isLive } from "./repositories/live-row.ts";

/** Looks at the youngest location. Throws config.invalid where it cannot be read. */
export async function requireLocationKey(db: Database): Promise<void> {
  const row = await youngestLocation(db);
  if (!row || !isUnreadable(db.locationUrls.decode(String(row.value), Number(row.id)))) return;
  throw new ServiceError(
    "config.invalid",
    "[DEFAULT] metadata_encryption_key is not the key that the locations in the database were encrypted with: set the same on every node.",
    { facts: { section: "DEFAULT", option: "metadata_encryption_key" } },
  );
}

async function youngestLocation(db: Database) {
  try {
    const [row] = await db.query<{ id: unknown; value: unknown }>(
      `select id, value from image_locations where id = (select max(id) from image_locations) and ${isLive}`,
    );
    return row;
  } catch (error) {
    // What a database without its tables needs is the start guard's to say.
    if (isServiceError(error, "db.wrong_schema")) return undefined;
    throw error;
  }
}
