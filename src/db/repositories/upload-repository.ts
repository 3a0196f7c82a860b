// Uploads and their leases. The order of locks is always the image's row, then the lease's; only who holds the lease changes either.
import { randomUUID } from "node:crypto";
import { type Clock, systemClock } from "../../core/clock.ts";
import { isServiceError } from "../../core/errors.ts";
import type { LeaseState, StoredData, UploadLease, UploadRepository } from "../../images/ports.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import type { Database, Queryable } from "../database.ts";
import { encoded, insertLocation } from "./image-children.ts";
import { extendLease, insertLease, urlsIn } from "./upload-lease.ts";

/** After finish found the image gone, its caller has this long to remove the data before the reaper does. */
const afterFinishSeconds = 60;

/** Of the release only this matters: whether there are columns for a hash beside the checksum. */
export function createUploadRepository(
  db: Database,
  { multihash }: Pick<Capabilities, "multihash">,
  clock: Clock = systemClock,
): UploadRepository {
  const { dialect } = db;
  const hashesCleared = multihash ? ", os_hash_algo = null, os_hash_value = null" : "";
  const now = () => dialect.encodeTime(new Date(clock.nowMs()).toISOString());

  /**
   * Locks the image's row and tells whether the upload still is wanted; then the lease's, and whether it still is ours. `added`: what others
   * have added to it.
   */
  async function lockBoth(
    tx: Queryable,
    lease: UploadLease,
  ): Promise<{ readonly state: LeaseState; readonly added: readonly string[] }> {
    const [image] = await tx.query<{ status: string; deleted: unknown }>(
      `select status, deleted from images where id = ?${dialect.forUpdate}`,
      [lease.imageId],
    );
    const [row] = await tx.query<{ lease_id: string; url: string }>(
      `select lease_id, url from perennial_uploads where image_id = ?${dialect.forUpdate}`,
      [lease.imageId],
    );
    if (row?.lease_id !== lease.leaseId) return { state: "lease_lost", added: [] };
    const added = urlsIn(row.url).filter((url) => !lease.urls.includes(url));
    return { state: image && image.status === "saving" && !image.deleted ? "held" : "image_gone", added };
  }

  return {
    async begin(lease, leaseSeconds) {
      try {
        return await db.transaction(async (tx) => {
          const { rowsAffected } = await tx.run(
            "update images set status = 'saving', updated_at = ? where id = ? and deleted = false and status = 'queued'",
            [now(), lease.imageId],
          );
          if (rowsAffected === 0) return false;
          await insertLease(tx, lease, { leaseSeconds, dialect });
          return true;
        });
      } catch (error) {
        // Data of an earlier upload is still being removed: the image is not free yet, and the status is rolled back.
        if (isServiceError(error, "db.duplicate")) return false;
        throw error;
      }
    },

    async renew(lease, leaseSeconds) {
      if (!(await extendLease(db, lease, { leaseSeconds, dialect }))) return "lease_lost";
      const [image] = await db.query("select id from images where id = ? and deleted = false and status = 'saving'", [
        lease.imageId,
      ]);
      return image ? "held" : "image_gone";
    },

    async finish(lease, data) {
      return await db.transaction(async (tx) => {
        const { state } = await lockBoth(tx, lease);
        if (state === "image_gone") await extendLease(tx, lease, { leaseSeconds: afterFinishSeconds, dialect });
        if (state !== "held") return state;
        const at = now();
        const hashes = { checksum: data.checksum, ...(multihash ? hashColumns(data) : {}) };
        const values = { size: data.sizeBytes, virtual_size: data.virtualSizeBytes, ...hashes, updated_at: at };
        const assignments = Object.keys(values).map((column) => `${column} = ?`);
        await tx.run(`update images set status = 'active', ${assignments.join(", ")} where id = ?`, [
          ...Object.values(values),
          lease.imageId,
        ]);
        await insertLocation(tx, lease.imageId, encoded(data, db.locationUrls), at);
        await tx.run("delete from perennial_uploads where image_id = ?", [lease.imageId]);
        return state;
      });
    },

    async abandon(lease) {
      await db.transaction(async (tx) => {
        const { state, added } = await lockBoth(tx, lease);
        if (state === "lease_lost") return;
        if (state === "image_gone" && added.length > 0) {
          // The image was deleted meanwhile: the rest of its data is for the reaper, at once.
          await tx.run(`update perennial_uploads set url = ?, expires_at = ${dialect.nowSql} where image_id = ?`, [
            added.join("\n"),
            lease.imageId,
          ]);
          return;
        }
        await tx.run("delete from perennial_uploads where image_id = ?", [lease.imageId]);
        if (state === "image_gone") return;
        await tx.run(
          `update images set status = 'queued', size = null, virtual_size = null, checksum = null${hashesCleared}, updated_at = ? where id = ?`,
          [now(), lease.imageId],
        );
      });
    },

    async find(imageId) {
      const [row] = await db.query<LeaseRow & { expired: unknown }>(
        `select image_id, lease_id, node, url, case when expires_at < ${dialect.nowSql} then 1 else 0 end as expired from perennial_uploads where image_id = ?`,
        [imageId],
      );
      return row && { lease: readLease(row), expired: Number(row.expired) === 1 };
    },

    async replace(held, next, leaseSeconds) {
      const { rowsAffected } = await db.run(
        `update perennial_uploads set lease_id = ?, node = ?, url = ?, expires_at = ${dialect.nowPlusSecondsSql} where image_id = ? and lease_id = ?`,
        [next.leaseId, next.node, next.urls.join("\n"), leaseSeconds, held.imageId, held.leaseId],
      );
      return rowsAffected > 0;
    },

    async reclaim(node, { leaseSeconds, rowsMax }) {
      const expired = await db.query<LeaseRow>(
        `select image_id, lease_id, node, url from perennial_uploads where expires_at < ${dialect.nowSql} order by expires_at limit ${Math.trunc(rowsMax)}`,
      );
      const taken: UploadLease[] = [];
      for (const row of expired) {
        const leaseId = randomUUID();
        // Of several reapers one finds the old lease still there; a holder that woke up and renewed keeps it.
        const { rowsAffected } = await db.run(
          `update perennial_uploads set lease_id = ?, node = ?, expires_at = ${dialect.nowPlusSecondsSql} where image_id = ? and lease_id = ? and expires_at < ${dialect.nowSql}`,
          [leaseId, node, leaseSeconds, row.image_id, row.lease_id],
        );
        if (rowsAffected > 0) taken.push({ ...readLease(row), leaseId, node });
      }
      return taken;
    },
  };
}

type LeaseRow = {
  readonly image_id: string;
  readonly lease_id: string;
  readonly node: string;
  readonly url: string;
};

function readLease(row: LeaseRow): UploadLease {
  return { imageId: row.image_id, leaseId: row.lease_id, node: row.node, urls: urlsIn(row.url) };
}

function hashColumns({ hash }: StoredData): { os_hash_algo: string | null; os_hash_value: string | null } {
  return { os_hash_algo: hash?.algorithm ?? null, os_hash_value: hash?.value ?? null };
}
