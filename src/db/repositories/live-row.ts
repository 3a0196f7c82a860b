// Rows of child tables that are not marked as deleted: how statements ask for them, and how they are marked.
import { ServiceError } from "../../core/errors.ts";
import type { Dialect, Queryable } from "../database.ts";
import { isUnreadable } from "../location-urls.ts";

/**
 * Not `deleted = FALSE`: for that servers offer Glance's index on `deleted`, which holds the whole table. SQLite would take it instead of the
 * index on image_id, and MySQL may intersect the two, and lock what it walks.
 */
export const isLive = "deleted <> TRUE";

export type ChildTable = "image_properties" | "image_tags" | "image_locations" | "image_members";

/** Ids in one statement. */
const idsMax = 500;

/**
 * Marks rows as deleted, by their ids and in order: by any other condition MySQL may read, and lock, a small table as a whole.
 * `now`: as a datetime column holds it. Returns how many were live.
 */
export async function softDelete(
  tx: Queryable,
  table: ChildTable,
  ids: readonly number[],
  { now, dialect }: { readonly now: string; readonly dialect: Dialect },
): Promise<number> {
  const sorted = ids.toSorted((a, b) => a - b);
  // A location has a status of its own.
  const more = table === "image_locations" ? ", status = 'deleted'" : "";
  let marked = 0;
  for (let from = 0; from < sorted.length; from += idsMax) {
    const part = sorted.slice(from, from + idsMax);
    const { rowsAffected } = await tx.run(
      `update ${table}${dialect.byPrimaryKey} set deleted = true, deleted_at = ?, updated_at = ?${more} where id in (${part.map(() => "?").join(", ")}) and ${isLive}`,
      [now, now, ...part],
    );
    marked += rowsAffected;
  }
  return marked;
}

/** Before locations are removed: what cannot be found must not be forgotten. Throws stores.unavailable. */
export function requireReadable(imageId: string, urls: readonly string[]): void {
  if (!urls.some(isUnreadable)) return;
  throw new ServiceError(
    "stores.unavailable",
    `Where data of image ${imageId} lies is encrypted by another key than this node's metadata_encryption_key, so that it cannot be removed.`,
    { facts: { imageId } },
  );
}
