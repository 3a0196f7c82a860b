// Writes what hangs on an image: properties, tags, locations. Callers hold the image's row, so that two writers of one image never
// meet here; rows are changed by their own ids, in order, so that writers of different images do not lock each other's gaps.
import { isServiceError, ServiceError } from "../../core/errors.ts";
import { jsonText } from "../../core/json-text.ts";
import type { Dialect, Queryable } from "../database.ts";
import type { LocationUrls } from "../location-urls.ts";
import type { ChildRow } from "./image-row.ts";
import { insertRows } from "./insert-rows.ts";
import { softDelete } from "./live-row.ts";

/** The image whose row the caller holds, and its live child rows. */
export type HeldImage = { readonly id: string; readonly children: readonly ChildRow[] };

/** When: as a datetime column holds it. */
export type At = { readonly now: string; readonly dialect: Dialect };

export type PropertyChanges = {
  readonly set: Readonly<Record<string, string | null>>;
  readonly remove: readonly string[];
};

/** `now`: as a datetime column holds it. */
export async function insertProperties(
  tx: Queryable,
  imageId: string,
  properties: readonly (readonly [name: string, value: string | null])[],
  now: string,
): Promise<void> {
  const rows = properties.map(([name, value]) => [imageId, name, value, now, now, false]);
  try {
    await insertRows(
      tx,
      "image_properties",
      ["image_id", "name", "value", "created_at", "updated_at", "deleted"],
      rows,
    );
  } catch (error) {
    if (!isServiceError(error, "db.duplicate")) throw error;
    throw new ServiceError("images.invalid", "Names of custom properties must differ by more than case and accents.", {
      facts: { imageId },
      cause: error,
    });
  }
}

export async function insertTags(tx: Queryable, imageId: string, tags: readonly string[], now: string): Promise<void> {
  const rows = tags.map((tag) => [imageId, tag, now, now, false]);
  await insertRows(tx, "image_tags", ["image_id", "value", "created_at", "updated_at", "deleted"], rows);
}

/** As the column holds it. */
export function encoded<T extends { readonly url: string }>(location: T, urls: LocationUrls): T {
  return { ...location, url: urls.encode(location.url) };
}

/** `location.url`: as the column holds it. */
export async function insertLocation(
  tx: Queryable,
  imageId: string,
  location: { url: string; metadata: Readonly<Record<string, unknown>> },
  now: string,
): Promise<void> {
  const row = [imageId, location.url, jsonText(location.metadata), "active", now, now, false];
  await insertRows(
    tx,
    "image_locations",
    ["image_id", "value", "meta_data", "status", "created_at", "updated_at", "deleted"],
    [row],
  );
}

const rowId = (row: ChildRow) => row.rowId;

/** Sets and removes properties, and leaves all others alone. A removed one that comes back is its old row revived, as the unique key asks. */
export async function changeProperties(
  tx: Queryable,
  image: HeldImage,
  changes: PropertyChanges,
  at: At,
): Promise<void> {
  const live = new Map(image.children.filter((row) => row.kind === "property").map((row) => [row.name, row]));
  const removed = changes.remove.flatMap((name) => live.get(name) ?? []);
  const { now } = at;
  await softDelete(tx, "image_properties", removed.map(rowId), at);

  const wanted = Object.entries(changes.set);
  for (const [name, value] of wanted) {
    const row = live.get(name);
    if (row && row.value !== value)
      await tx.run("update image_properties set value = ?, updated_at = ? where id = ?", [value, now, row.rowId]);
  }
  const fresh = wanted.filter(([name]) => !live.has(name));
  if (fresh.length > 0) await addProperties(tx, image.id, fresh, now);
}

async function addProperties(
  tx: Queryable,
  imageId: string,
  fresh: readonly (readonly [string, string | null])[],
  now: string,
): Promise<void> {
  const gone = await tx.query<{ id: number; name: string }>(
    "select id, name from image_properties where image_id = ? and deleted = true order by id",
    [imageId],
  );
  const unused = new Set(gone);
  const absent: (readonly [string, string | null])[] = [];
  for (const [name, value] of fresh) {
    // The exact name first; else one that the unique key may take for the same (`Foo` for `foo`), which is renamed.
    const candidates = [...unused];
    const row = candidates.find((old) => old.name === name) ?? candidates.find((old) => fold(old.name) === fold(name));
    if (!row) {
      absent.push([name, value]);
      continue;
    }
    unused.delete(row);
    await tx.run("update image_properties set name = ?, value = ?, deleted = false, updated_at = ? where id = ?", [
      name,
      value,
      now,
      row.id,
    ]);
  }
  await insertProperties(tx, imageId, absent, now);
}

/** What the loosest collation in use makes of a name. */
function fold(name: string): string {
  return name
    .normalize("NFKD")
    .replaceAll(/\p{Mark}/gu, "")
    .toLowerCase();
}

export async function changeTags(tx: Queryable, image: HeldImage, wanted: readonly string[], at: At): Promise<void> {
  const live = image.children.filter((row) => row.kind === "tag");
  const keep = new Set(wanted);
  const dropped = live.filter((row) => !keep.has(row.name));
  await softDelete(tx, "image_tags", dropped.map(rowId), at);
  const present = new Set(live.map((row) => row.name));
  await insertTags(
    tx,
    image.id,
    [...keep].filter((tag) => !present.has(tag)),
    at.now,
  );
}
