// Takes back a removal whose data the store keeps: because it is in use there, or may not be removed. What was marked as deleted was noted row
// by row, so exactly that comes back, under the lease that the removal wrote.
import type { UploadLease } from "../../images/ports.ts";
import type { ImageStatus } from "../../images/status.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import type { Database, Queryable, SqlValue } from "../database.ts";
import type { ChildTable } from "./live-row.ts";

export type MarkedRow = { readonly table: ChildTable; readonly id: number; readonly url: string | null };

/** What one removal marked. */
export type Marked = {
  /** As its row was before; null: the image itself stayed. */
  readonly image: {
    readonly status: ImageStatus;
    readonly updatedAt: string | null;
    readonly visibility: SqlValue;
  } | null;
  readonly rows: readonly MarkedRow[];
};

type Options = {
  readonly lease: UploadLease;
  readonly marked: Marked;
  /** Their data is gone: these locations stay removed. */
  readonly lostUrls: readonly string[];
  readonly now: string;
  readonly visibilityStoredAs: Capabilities["visibilityStoredAs"];
};

/** See RemovedData.takeBack. */
export async function takeBackRemoval(db: Database, options: Options): Promise<boolean> {
  const { lease, marked } = options;
  const { imageId } = lease;
  return await db.transaction(async (tx) => {
    const [image] = await tx.query<{ deleted: unknown }>(
      `select deleted from images where id = ?${db.dialect.forUpdate}`,
      [imageId],
    );
    const [held] = await tx.query<{ lease_id: string }>(
      `select lease_id from perennial_uploads where image_id = ?${db.dialect.forUpdate}`,
      [imageId],
    );
    // Where a location was removed and then the whole image, its data has to go.
    if (!image || held?.lease_id !== lease.leaseId || Boolean(image.deleted) !== (marked.image !== null)) return false;
    if (marked.image)
      await tx.run("update images set status = ?, deleted = false, deleted_at = null, updated_at = ? where id = ?", [
        marked.image.status,
        marked.image.updatedAt,
        imageId,
      ]);
    for (const row of marked.rows) await revive(tx, row, options);
    if (marked.image) await keepVisibility(tx, imageId, marked.image.visibility, options);
    await tx.run("delete from perennial_uploads where image_id = ?", [imageId]);
    return true;
  });
}

/** A location whose data had gone before, or goes now, is none. */
async function revive(tx: Queryable, { table, id, url }: MarkedRow, { lostUrls, now }: Options): Promise<void> {
  const isLocation = table === "image_locations";
  if (isLocation && (url === null || lostUrls.includes(url))) return;
  const active = isLocation ? ", status = 'active'" : "";
  await tx.run(`update ${table} set deleted = false, deleted_at = null, updated_at = ?${active} where id = ?`, [
    now,
    id,
  ]);
}

/** Between expand and contract a member that comes alive makes a private image shared, which nobody asked for here. */
async function keepVisibility(
  tx: Queryable,
  imageId: string,
  visibility: SqlValue,
  { visibilityStoredAs }: Options,
): Promise<void> {
  await tx.run(`update images set ${visibilityStoredAs} = ? where id = ? and ${visibilityStoredAs} <> ?`, [
    visibility,
    imageId,
    visibility,
  ]);
}
