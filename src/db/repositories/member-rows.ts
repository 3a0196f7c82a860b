// Rows of image_members as they may be found: at most one live row of a pair is meant, two are possible, and removed ones stay.
import { isServiceError } from "../../core/errors.ts";
import type { Queryable } from "../database.ts";
import { isLive } from "./live-row.ts";

export type MemberRow = {
  readonly id: number;
  readonly member: string;
  readonly status: string;
  readonly created_at: string;
  readonly updated_at: string | null;
  readonly deleted: unknown;
};

export const memberColumns = "id, member, status, created_at, updated_at, deleted";

/** Marks the live rows of an image, or of one member of it, as removed; how many there were. */
export async function softDeleteMembers(
  tx: Queryable,
  imageId: string,
  now: string,
  memberIds?: readonly number[],
): Promise<number> {
  const which = memberIds ? ` and id in (${memberIds.map(() => "?").join(", ")})` : "";
  const mark = `update image_members set deleted = 1, deleted_at = ?, updated_at = ? where image_id = ? and ${isLive}${which}`;
  try {
    return (await tx.run(mark, [now, now, imageId, ...(memberIds ?? [])])).rowsAffected;
  } catch (error) {
    if (!isServiceError(error, "db.duplicate")) throw error;
  }
  // (image_id, member, deleted_at) is unique, and two rows of one pair go in the same second: one stays as the mark of both.
  const rows = await tx.query<{ id: number }>(
    `select id from image_members where image_id = ? and ${isLive}${which} order by id`,
    [imageId, ...(memberIds ?? [])],
  );
  for (const { id } of rows) {
    try {
      await tx.run(`${mark} and id = ?`, [now, now, imageId, ...(memberIds ?? []), id]);
    } catch (error) {
      if (!isServiceError(error, "db.duplicate")) throw error;
      await tx.run("delete from image_members where id = ?", [id]);
    }
  }
  return rows.length;
}
