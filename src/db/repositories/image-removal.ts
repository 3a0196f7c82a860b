// Deletes an image as Glance does: rows are marked, not removed. What is left in the store is written down as a lease in the same
// transaction, so that the data goes even if this process dies right after.
import { isServiceError, ServiceError } from "../../core/errors.ts";
import type { Cleanup, UploadLease } from "../../images/ports.ts";
import type { ImageStatus } from "../../images/status.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import { attempt } from "../attempt.ts";
import type { Dialect, Queryable, SqlValue } from "../database.ts";
import type { LocationUrls } from "../location-urls.ts";
import { type ChildTable, isLive, requireReadable, softDelete } from "./live-row.ts";
import { softDeleteMembers } from "./member-rows.ts";
import type { Marked } from "./removal-undo.ts";
import { addToLease, insertLease } from "./upload-lease.ts";

/** Live rows of the four child tables, with the URLs that data stands under. */
const childrenSql = (["image_properties", "image_tags", "image_members"] as const)
  .map((table) => `select '${table}' as child_table, id, null as url from ${table} where image_id = ? and ${isLive}`)
  .concat(
    `select 'image_locations', id, case when status = 'active' then value end from image_locations where image_id = ? and ${isLive} order by id`,
  )
  .join(" union all ");

type ChildRow = { readonly child_table: ChildTable; readonly id: number; readonly url: string | null };
type ImageRow = {
  readonly id: string;
  readonly protected: unknown;
  readonly status: ImageStatus;
  readonly updated_at: string | null;
  readonly visibility: SqlValue;
};

/** `now`: as a datetime column holds it. undefined: no such image. Throws images.forbidden where it is protected. */
export async function removeImage(
  tx: Queryable,
  options: {
    id: string;
    cleanup: Cleanup;
    delayed: boolean;
    now: string;
    dialect: Dialect;
    locationUrls: LocationUrls;
    visibilityStoredAs: Capabilities["visibilityStoredAs"];
  },
): Promise<{ readonly cleanup: UploadLease | null; readonly marked: Marked } | undefined> {
  const { now, dialect, cleanup } = options;
  const [image] = await tx.query<ImageRow>(
    `select id, protected, status, updated_at, ${options.visibilityStoredAs} as visibility from images where id = ? and deleted = false${dialect.forUpdate}`,
    [options.id],
  );
  if (!image) return undefined;
  const { id } = image;
  if (image.protected)
    throw new ServiceError("images.forbidden", `Image ${id} is protected and cannot be deleted.`, {
      facts: { imageId: id },
    });
  // Read after the image's row is locked, so that whoever added one of these before is through.
  const rows = await tx.query<ChildRow>(childrenSql, [id, id, id, id]);
  const children = rows.map((row) => ({
    ...row,
    url: row.url === null ? null : options.locationUrls.decode(row.url, Number(row.id)),
  }));
  const urls = children.flatMap((row) => row.url ?? []);
  requireReadable(id, urls);
  const delayed = options.delayed && urls.length > 0;
  await tx.run(`update images set status = ?, deleted = true, deleted_at = ?, updated_at = ? where id = ?`, [
    delayed ? "pending_delete" : "deleted",
    now,
    now,
    id,
  ]);
  const idsIn = (table: ChildTable) => children.filter((row) => row.child_table === table).map((row) => Number(row.id));
  for (const table of ["image_properties", "image_tags", "image_locations"] as const)
    await softDelete(tx, table, idsIn(table), { now, dialect });
  await softDeleteMembers(tx, idsIn("image_members"), { now, dialect });
  if (delayed)
    for (const row of children)
      if (row.url !== null)
        await tx.run("update image_locations set status = 'pending_delete' where id = ?", [Number(row.id)]);
  const marked: Marked = {
    image: { status: image.status, updatedAt: image.updated_at, visibility: image.visibility },
    rows: children.map((row) => ({ table: row.child_table, id: Number(row.id), url: row.url })),
  };
  if (delayed || urls.length === 0) return { cleanup: null, marked };

  const lease = {
    imageId: id,
    leaseId: cleanup.leaseId,
    node: cleanup.node,
    urls,
  };
  try {
    await attempt(tx, dialect, () => insertLease(tx, lease, { leaseSeconds: cleanup.leaseSeconds, dialect }));
    return { cleanup: lease, marked };
  } catch (error) {
    if (!isServiceError(error, "db.duplicate")) throw error;
    // Somebody holds a lease of this image, say to remove one of its locations: the others are removed after that.
    if (await addToLease(tx, lease, dialect)) return { cleanup: null, marked };
    await insertLease(tx, lease, { leaseSeconds: cleanup.leaseSeconds, dialect });
    return { cleanup: lease, marked };
  }
}
