// Rows of image_members as they may be found: at most one live row of a pair is meant, two are possible, and removed ones stay.
import { isServiceError } from "../../core/errors.ts";
import { attempt } from "../attempt.ts";
import type { Dialect, Queryable } from "../database.ts";
import { softDelete } from "./live-row.ts";

export type MemberRow = {
  readonly id: number;
  readonly member: string;
  readonly status: string;
  readonly created_at: string;
  readonly updated_at: string | null;
  readonly deleted: unknown;
};

export const memberColumns = "id, member, status, created_at, updated_at, deleted";

/** Marks members of one image as removed; how many of them were live. */
export async function softDeleteMembers(
  tx: Queryable,
  ids: readonly number[],
  at: { readonly now: string; readonly dialect: Dialect },
): Promise<number> {
  if (ids.length === 0) return 0;
  try {
    return await attempt(tx, at.dialect, () => softDelete(tx, "image_members", ids, at));
  } catch (error) {
    if (!isServiceError(error, "db.duplicate")) throw error;
  }
  // (image_id, member, deleted_at) is unique, and two rows of one pair go in the same second: one stays as the mark of both.
  for (const id of ids) {
    try {
      await attempt(tx, at.dialect, () => softDelete(tx, "image_members", [id], at));
    } catch (error) {
      if (!isServiceError(error, "db.duplicate")) throw error;
      await tx.run("delete from image_members where id = ?", [id]);
    }
  }
  return ids.length;
}
