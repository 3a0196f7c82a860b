// Images whose deletion was delayed, as Glance keeps them: image and locations `pending_delete`, everything marked as deleted.
import { type Clock, systemClock } from "../../core/clock.ts";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import type { ScrubRepository } from "../../images/scrubbing/scrub-repository.ts";
import type { Database, Queryable } from "../database.ts";
import { readMetadata } from "./image-row.ts";
import { requireReadable } from "./live-row.ts";
import { insertLease } from "./upload-lease.ts";

const children = ["image_properties", "image_tags", "image_members"] as const;
type ImageRow = { readonly status: string; readonly deleted_at: string | null };

export function createScrubRepository(db: Database, clock: Clock = systemClock): ScrubRepository {
  const { dialect } = db;
  const now = () => dialect.encodeTime(new Date(clock.nowMs()).toISOString());

  const lockImage = async (tx: Queryable, id: string) =>
    (await tx.query<ImageRow>(`select status, deleted_at from images where id = ?${dialect.forUpdate}`, [id]))[0];
  const pendingLocations = async (tx: Queryable, id: string) => {
    const rows = await tx.query<{ id: number; value: string; meta_data: string | null }>(
      "select id, value, meta_data from image_locations where image_id = ? and status = 'pending_delete' order by id",
      [id],
    );
    return rows.map((row) => ({ ...row, value: db.locationUrls.decode(row.value, Number(row.id)) }));
  };

  return {
    async due({ ageSeconds, after, rowsMax }) {
      const rows = await db.query<{ id: string }>(
        `select id from images where status = 'pending_delete' and id > ? and ${dialect.secondsSinceSql("deleted_at")} >= ?
         order by id limit ${Math.trunc(rowsMax)}`,
        [after, ageSeconds],
      );
      return rows.map(({ id }) => id);
    },

    async take(imageId, { leaseId, node, leaseSeconds }, isOurs) {
      try {
        return await db.transaction(async (tx) => {
          if ((await lockImage(tx, imageId))?.status !== "pending_delete") return undefined;
          const locations = await pendingLocations(tx, imageId);
          requireReadable(
            imageId,
            locations.map(({ value }) => value),
          );
          if (!locations.every(({ value, meta_data: text }) => isOurs({ url: value, metadata: readMetadata(text) })))
            return "left";
          const at = now();
          await tx.run("update images set status = 'deleted', updated_at = ? where id = ?", [at, imageId]);
          for (const { id } of locations)
            await tx.run("update image_locations set status = 'deleted', updated_at = ? where id = ?", [at, id]);
          const lease = { imageId, leaseId, node, urls: [...new Set(locations.map(({ value }) => value))] };
          await insertLease(tx, lease, { leaseSeconds, dialect });
          return lease;
        });
      } catch (error) {
        // Somebody holds a lease of the image; the next round looks again.
        if (isServiceError(error, "db.duplicate")) return undefined;
        throw error;
      }
    },

    async restore(imageId) {
      await db.transaction(async (tx) => {
        const image = await lockImage(tx, imageId);
        if (!image) throw new ServiceError("images.not_found", `There is no image ${imageId}.`, { facts: { imageId } });
        if (image.status !== "pending_delete")
          throw conflict(imageId, `is ${image.status}; only one that is pending_delete can be restored`);
        const locations = await pendingLocations(tx, imageId);
        if (locations.length === 0) throw conflict(imageId, "has no data left that could be restored");
        const at = now();
        const alive = "deleted = false, deleted_at = null, updated_at = ?";
        await tx.run(`update images set status = 'active', ${alive} where id = ?`, [at, imageId]);
        for (const { id } of locations)
          await tx.run(`update image_locations set status = 'active', ${alive} where id = ?`, [at, id]);
        // What was removed before stays removed.
        if (image.deleted_at !== null)
          for (const table of children)
            await tx.run(`update ${table} set ${alive} where image_id = ? and deleted_at >= ?`, [
              at,
              imageId,
              image.deleted_at,
            ]);
      });
    },
  };
}

function conflict(imageId: string, why: string): ServiceError {
  return new ServiceError("images.status_conflict", `Image ${imageId} ${why}.`, { facts: { imageId } });
}
