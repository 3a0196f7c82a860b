// Single locations of an image: one taken away with a lease on its data, and what is noted about others.
import { isServiceError, ServiceError } from "../../core/errors.ts";
import { jsonText } from "../../core/json-text.ts";
import type { ImageLocation } from "../../images/image.ts";
import type { Cleanup, LocationChanges, UploadLease } from "../../images/ports.ts";
import type { Database, Dialect, Queryable } from "../database.ts";
import type { LocationUrls } from "../location-urls.ts";
import { encoded, insertLocation } from "./image-children.ts";
import { isLive, requireReadable, softDelete } from "./live-row.ts";
import type { Marked } from "./removal-undo.ts";
import { insertLease } from "./upload-lease.ts";

type LocationRow = { readonly id: number; readonly value: string; readonly meta_data: string | null };

/** See ImageRepository.removeLocation. `now`: as a datetime column holds it. */
export async function removeLocation(
  db: Database,
  options: { id: string; url: string; cleanup: Cleanup; now: string },
): Promise<{ readonly cleanup: UploadLease; readonly marked: Marked }> {
  const { id, url, cleanup, now } = options;
  const { dialect } = db;
  const lease = { imageId: id, leaseId: cleanup.leaseId, node: cleanup.node, urls: [url] };
  try {
    return await db.transaction(async (tx) => {
      const status = await lockImage(tx, id, dialect);
      if (status === undefined) throw notFound(id, "There is no image");
      if (status !== "active") throw conflict(id, `is ${status}, not active`);
      const rows = await liveLocations(tx, id, db.locationUrls);
      const gone = rows.filter((row) => row.value === url);
      if (gone.length === 0) throw notFound(id, "There is no such location of image");
      requireReadable(id, [url]);
      if (gone.length === rows.length)
        throw new ServiceError("images.forbidden", `The last data of image ${id} cannot be removed.`);
      await softDelete(
        tx,
        "image_locations",
        gone.map((row) => Number(row.id)),
        { now, dialect },
      );
      await tx.run("update images set updated_at = ? where id = ?", [now, id]);
      await insertLease(tx, lease, { leaseSeconds: cleanup.leaseSeconds, dialect });
      const marked = gone.map((row) => ({ table: "image_locations", id: Number(row.id), url: row.value }) as const);
      return { cleanup: lease, marked: { image: null, rows: marked } };
    });
  } catch (error) {
    throw isServiceError(error, "db.duplicate") ? isBusy(id) : error;
  }
}

/** See ImageRepository.noteLocations. */
export async function noteLocations(
  db: Database,
  options: { id: string; locations: readonly ImageLocation[]; now: string },
): Promise<void> {
  const byUrl = new Map(options.locations.map(({ url, metadata }) => [url, jsonText(metadata)]));
  await db.transaction(async (tx) => {
    // Behind whoever changes the image, so that nothing they write is overwritten.
    if ((await lockImage(tx, options.id, db.dialect)) === undefined) return;
    for (const row of await liveLocations(tx, options.id, db.locationUrls)) {
      const text = byUrl.get(row.value);
      if (text !== undefined && text !== row.meta_data)
        await tx.run("update image_locations set meta_data = ?, updated_at = ? where id = ?", [
          text,
          options.now,
          row.id,
        ]);
    }
  });
}

/** See ImageRepository.update. The caller holds the image's row. */
export async function changeLocations(
  tx: Queryable,
  imageId: string,
  changes: LocationChanges,
  { now, dialect, locationUrls }: Pick<Database, "dialect" | "locationUrls"> & { now: string },
): Promise<void> {
  const live = await liveLocations(tx, imageId, locationUrls);
  const urls = new Set(live.map((row) => row.value));
  if (changes.add.some(({ url }) => urls.has(url)))
    throw new ServiceError("images.invalid", `Image ${imageId} has one of the locations already.`, {
      facts: { imageId },
    });
  const noted = new Map(changes.note.map(({ url, metadata }) => [url, jsonText(metadata)]));
  for (const row of live) {
    const text = noted.get(row.value);
    if (text !== undefined && text !== row.meta_data)
      await tx.run("update image_locations set meta_data = ?, updated_at = ? where id = ?", [text, now, row.id]);
  }
  const gone = live.filter((row) => changes.remove.includes(row.value));
  requireReadable(
    imageId,
    gone.map((row) => row.value),
  );
  const count = live.length - gone.length + changes.add.length;
  if (count === 0)
    throw new ServiceError("images.forbidden", `The last location of image ${imageId} cannot be removed.`);
  const { locationsMax } = changes;
  if (changes.add.length > 0 && locationsMax >= 0 && count > locationsMax)
    throw new ServiceError(
      "images.over_limit",
      `An image may have ${locationsMax} locations, and would have ${count}.`,
      {
        facts: { imageId, count, locationsMax },
      },
    );
  const ids = gone.map((row) => Number(row.id));
  await softDelete(tx, "image_locations", ids, { now, dialect });
  for (const location of changes.add) await insertLocation(tx, imageId, encoded(location, locationUrls), now);
  if (gone.length === 0) return;
  const { leaseId, node, leaseSeconds } = changes.cleanup;
  const lease = { imageId, leaseId, node, urls: [...new Set(gone.map((row) => row.value))] };
  try {
    await insertLease(tx, lease, { leaseSeconds, dialect });
  } catch (error) {
    throw isServiceError(error, "db.duplicate") ? isBusy(imageId) : error;
  }
}

async function lockImage(tx: Queryable, id: string, dialect: Dialect): Promise<string | undefined> {
  const [image] = await tx.query<{ status: string }>(
    `select status from images where id = ? and deleted = false${dialect.forUpdate}`,
    [id],
  );
  return image?.status;
}

/** Their URLs readable. */
async function liveLocations(tx: Queryable, id: string, urls: LocationUrls): Promise<readonly LocationRow[]> {
  const rows = await tx.query<LocationRow>(
    `select id, value, meta_data from image_locations where image_id = ? and ${isLive} and status = 'active' order by id`,
    [id],
  );
  return rows.map((row) => ({ ...row, value: urls.decode(row.value, Number(row.id)) }));
}

function notFound(imageId: string, what: string): ServiceError {
  return new ServiceError("images.not_found", `${what} ${imageId}.`, { facts: { imageId } });
}

/** Somebody holds a lease of the image. */
function isBusy(imageId: string): ServiceError {
  return conflict(imageId, "has other data that is being written or removed; try again soon");
}

function conflict(imageId: string, why: string): ServiceError {
  return new ServiceError("images.status_conflict", `Image ${imageId} ${why}.`, { facts: { imageId } });
}
