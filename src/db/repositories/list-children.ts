// Properties, tags and locations of a page of images, in one statement.
import type { Queryable } from "../database.ts";
import { type ChildRow, kindNumbers, readChild } from "./image-row.ts";
import { isLive } from "./live-row.ts";

/** Ids of one statement; they stand in it three times. */
const idsMax = 1_000;
/** Lists of ids are filled up to one of these lengths by repeating the last: a few statements to prepare instead of a thousand. */
const lengths = [1, 2, 5, 10, 25, 50, 100, 250, 500, idsMax];

const statements = new Map<number, string>();

/** Child rows by image id. */
export async function readChildrenOf(
  db: Queryable,
  imageIds: readonly string[],
): Promise<ReadonlyMap<string, readonly ChildRow[]>> {
  const byId = new Map<string, ChildRow[]>(imageIds.map((id) => [id, []]));
  // Ids written in another case are the same to some collations.
  const byLowerId = new Map([...byId].map(([id, rows]) => [id.toLowerCase(), rows]));
  for (let from = 0; from < imageIds.length; from += idsMax) {
    const ids = filledUp(imageIds.slice(from, from + idsMax));
    for (const row of await db.query(statementFor(ids.length), [...ids, ...ids, ...ids])) {
      const imageId = String(row.image_id);
      (byId.get(imageId) ?? byLowerId.get(imageId.toLowerCase()))?.push(readChild(row));
    }
  }
  return byId;
}

function filledUp(ids: readonly string[]): readonly string[] {
  const length = lengths.find((candidate) => candidate >= ids.length) ?? ids.length;
  return [...ids, ...Array<string>(length - ids.length).fill(ids.at(-1) ?? "")];
}

function statementFor(length: number): string {
  const found = statements.get(length);
  if (found) return found;
  const ofImages = `image_id in (${Array(length).fill("?").join(", ")}) and ${isLive}`;
  const sql = [
    `select ${kindNumbers.property} as child_kind, image_id, id as row_id, name as child_name, value as child_value, null as child_metadata, null as child_status from image_properties where ${ofImages}`,
    `select ${kindNumbers.tag}, image_id, id, value, null, null, null from image_tags where ${ofImages}`,
    `select ${kindNumbers.location}, image_id, id, value, null, meta_data, status from image_locations where ${ofImages} and status = 'active'`,
  ].join(" union all ");
  statements.set(length, sql);
  return sql;
}
