// Deletes an image as Glance does: rows are marked, not removed. What is left in the store is written down as a lease in the same
// transaction, so that the data goes even if this process dies right after.
import { isServiceError, ServiceError } from "../../core/errors.ts";
import type { Cleanup, RemovedImage } from "../../images/ports.ts";
import type { Dialect, Queryable } from "../database.ts";
import { isLive } from "./live-row.ts";
import { softDeleteMembers } from "./member-rows.ts";
import { insertLease } from "./upload-lease.ts";

/** `now`: as a datetime column holds it. undefined: no such image. Throws images.forbidden where it is protected. */
export async function removeImage(
  tx: Queryable,
  options: { id: string; cleanup: Cleanup; now: string; dialect: Dialect },
): Promise<RemovedImage | undefined> {
  const { now, dialect, cleanup } = options;
  const [image] = await tx.query<{ id: string; protected: unknown }>(
    `select id, protected from images where id = ? and deleted = 0${dialect.forUpdate}`,
    [options.id],
  );
  if (!image) return undefined;
  const { id } = image;
  if (image.protected)
    throw new ServiceError("images.forbidden", `Image ${id} is protected and cannot be deleted.`, {
      facts: { imageId: id },
    });
  const locations = await tx.query<{ value: string }>(
    `select value from image_locations where image_id = ? and ${isLive} and status = 'active' order by id`,
    [id],
  );
  await tx.run("update images set status = 'deleted', deleted = 1, deleted_at = ?, updated_at = ? where id = ?", [
    now,
    now,
    id,
  ]);
  const marked = "deleted = 1, deleted_at = ?, updated_at = ?";
  await tx.run(`update image_properties set ${marked} where image_id = ? and ${isLive}`, [now, now, id]);
  await tx.run(`update image_tags set ${marked} where image_id = ? and ${isLive}`, [now, now, id]);
  await tx.run(`update image_locations set ${marked}, status = 'deleted' where image_id = ? and ${isLive}`, [
    now,
    now,
    id,
  ]);
  await softDeleteMembers(tx, id, now);
  if (locations.length === 0) return { cleanup: null };

  const lease = {
    imageId: id,
    leaseId: cleanup.leaseId,
    node: cleanup.node,
    urls: locations.map((location) => location.value),
  };
  try {
    await insertLease(tx, lease, { leaseSeconds: cleanup.leaseSeconds, dialect });
    return { cleanup: lease };
  } catch (error) {
    // Somebody holds a lease of this image, and learns by it that the image is gone.
    if (isServiceError(error, "db.duplicate")) return { cleanup: null };
    throw error;
  }
}
