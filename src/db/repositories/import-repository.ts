// Staging and import in the tables of Glance, under leases. The order of locks is always the image's row, then the lease's, then the task's.
import { type Clock, systemClock } from "../../core/clock.ts";
import { isServiceError } from "../../core/errors.ts";
import type { ImportedData, ImportLease, ImportRepository } from "../../images/import/import-repository.ts";
import type { LeaseState } from "../../images/ports.ts";
import type { TaskOutcome } from "../../images/tasks/task.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import { attempt } from "../attempt.ts";
import type { Database, Queryable, SqlValue } from "../database.ts";
import type { LocationUrls } from "../location-urls.ts";
import { encoded, insertLocation } from "./image-children.ts";
import { extendImportLease, insertImportLease, reclaimImportLeases } from "./import-lease.ts";
import { endProgress, isAtWork, lockHolder, lockProperty, progressValues, writeProperties } from "./import-lock.ts";
import { isLive } from "./live-row.ts";
import { endTask, insertTask, touchTask } from "./task-rows.ts";

const stageHostProperty = "os_glance_stage_host";
/** After a commit found the image gone, its caller has this long to remove the data before somebody else does. */
const afterCommitSeconds = 60;
/** In which of these an image is still the one that a lease was taken for. */
const staging = ["uploading"];
const importing = ["importing", "active", "deactivated"];

export type ImportRepositoryOptions = {
  /** How long a finished task is remembered. */
  readonly taskLifeHours: number;
  readonly clock?: Clock;
};

/** Of the release only this matters: which columns there are. Whoever cleans up behind a newer node needs to know no more. */
export function createImportRepository(
  db: Database,
  capabilities: Pick<Capabilities, "multihash" | "tasksOfImages">,
  { taskLifeHours, clock = systemClock }: ImportRepositoryOptions,
): ImportRepository {
  const { dialect } = db;
  const timeIn = (ms: number) => dialect.encodeTime(`${new Date(clock.nowMs() + ms).toISOString().slice(0, 19)}Z`);
  const now = () => timeIn(0);
  const times = () => ({ now: now(), expiresAt: timeIn(taskLifeHours * 3_600_000) });

  /** Locks the image's row and the lease's; tells whether the work is still wanted and still ours. */
  async function lockBoth(tx: Queryable, lease: ImportLease): Promise<{ state: LeaseState; status: string }> {
    const [image] = await tx.query<{ status: string; deleted: unknown }>(
      `select status, deleted from images where id = ?${dialect.forUpdate}`,
      [lease.imageId],
    );
    const [row] = await tx.query<{ lease_id: string }>(
      `select lease_id from perennial_imports where image_id = ?${dialect.forUpdate}`,
      [lease.imageId],
    );
    const status = image?.status ?? "";
    if (row?.lease_id !== lease.leaseId) return { state: "lease_lost", status };
    const wanted = image && !image.deleted && (lease.taskId === null ? staging : importing).includes(status);
    return { state: wanted ? "held" : "image_gone", status };
  }

  /**
   * Somebody still removes data of the image from a store, and may do so again after his death: what is stored now under the same URL
   * would go with it.
   */
  async function refuseWhileRemoving(tx: Queryable, imageId: string): Promise<void> {
    const [row] = await tx.query("select image_id from perennial_uploads where image_id = ?", [imageId]);
    if (row) throw new Locked();
  }

  const dropLease = (tx: Queryable, { imageId }: ImportLease) =>
    tx.run("delete from perennial_imports where image_id = ?", [imageId]);

  async function end(tx: Queryable, taskId: string | null, outcome: TaskOutcome | null): Promise<void> {
    if (taskId !== null && outcome !== null) await endTask(tx, taskId, outcome, times());
  }

  /** From one status to another, which takes the image's row for the rest of the transaction. False where it is in no such status. */
  async function switchStatus(tx: Queryable, imageId: string, from: string, to: string): Promise<boolean> {
    const { rowsAffected } = await tx.run(
      "update images set status = ?, updated_at = ? where id = ? and deleted = false and status = ?",
      [to, now(), imageId, from],
    );
    return rowsAffected > 0;
  }

  return {
    async beginStaging(lease, leaseSeconds) {
      try {
        return await db.transaction(async (tx) => {
          if (!(await switchStatus(tx, lease.imageId, "queued", "uploading"))) return false;
          await refuseWhileRemoving(tx, lease.imageId);
          await insertImportLease(tx, lease, { leaseSeconds, dialect });
          return true;
        });
      } catch (error) {
        // Somebody cleans up behind an earlier attempt: the image is not free yet, and the status is rolled back.
        if (error instanceof Locked || isServiceError(error, "db.duplicate")) return false;
        throw error;
      }
    },

    async finishStaging(lease, { sizeBytes, stageHost }) {
      return await db.transaction(async (tx) => {
        const { state } = await lockBoth(tx, lease);
        if (state !== "held") return state;
        const at = now();
        await tx.run("update images set size = ?, updated_at = ? where id = ?", [sizeBytes, at, lease.imageId]);
        if (stageHost !== null)
          await writeProperties(tx, lease.imageId, { [stageHostProperty]: stageHost }, { now: at, dialect });
        await dropLease(tx, lease);
        return state;
      });
    },

    async beginImport({ lease, from, task, progress }, leaseSeconds) {
      const { imageId } = lease;
      try {
        return await db.transaction(async (tx) => {
          const to = from === "active" ? "active" : "importing";
          if (!(await switchStatus(tx, imageId, from, to))) return { state: "wrong_status" } as const;
          await refuseWhileRemoving(tx, imageId);
          await insertImportLease(tx, lease, { leaseSeconds, dialect });
          const holder = progress === null ? undefined : await lockHolder(tx, imageId);
          // Nothing is rolled back by returning: what was written so far must not stand.
          if (holder !== undefined && (await isAtWork(tx, holder, dialect))) throw new Locked();
          const at = { now: now(), dialect };
          if (holder !== undefined) await end(tx, holder, takenOver);
          const values = progress === null ? {} : { ...progressValues(progress), [lockProperty]: lease.taskId };
          await attempt(tx, dialect, () => writeProperties(tx, imageId, values, at));
          await insertTask(tx, task, at.now, capabilities);
          return { state: "begun" } as const;
        });
      } catch (error) {
        // A lease stands; or a node of the reference, which does not take the image's row, has just set the same property.
        if (error instanceof Locked || isServiceError(error, "db.duplicate", "images.invalid"))
          return { state: "locked" };
        throw error;
      }
    },

    async renew(lease, leaseSeconds) {
      if (!(await extendImportLease(db, lease, { leaseSeconds, dialect }))) return "lease_lost";
      if (lease.taskId !== null) await touchTask(db, lease.taskId, now());
      const wanted = lease.taskId === null ? staging : importing;
      const [image] = await db.query(
        `select id from images where id = ? and deleted = false and status in (${wanted.map(() => "?").join(", ")})`,
        [lease.imageId, ...wanted],
      );
      return image ? "held" : "image_gone";
    },

    async commit(lease, { locations, data, urls, progress, outcome }) {
      return await db.transaction(async (tx) => {
        const { state, status } = await lockBoth(tx, lease);
        if (state === "image_gone") await extendImportLease(tx, lease, { leaseSeconds: afterCommitSeconds, dialect });
        if (state !== "held") return state;
        const at = { now: now(), dialect };
        const becomes = status === "importing" && locations.length > 0 ? { status: "active" } : {};
        const values = { ...becomes, ...(data ? dataColumns(data, capabilities) : {}), updated_at: at.now };
        const assignments = Object.keys(values).map((column) => `${column} = ?`);
        await tx.run(`update images set ${assignments.join(", ")} where id = ?`, [
          ...Object.values(values),
          lease.imageId,
        ]);
        const present = await liveLocations(tx, lease.imageId, db.locationUrls);
        for (const location of locations)
          if (!present.has(location.url))
            await insertLocation(tx, lease.imageId, encoded(location, db.locationUrls), at.now);
        if (data?.becomes?.properties) await writeProperties(tx, lease.imageId, data.becomes.properties, at);
        if (progress) await writeProperties(tx, lease.imageId, progressValues(progress), at);
        if (outcome !== null) {
          await writeProperties(tx, lease.imageId, { [lockProperty]: null, [stageHostProperty]: null }, at);
          await end(tx, lease.taskId, outcome);
        }
        if (outcome !== null && urls.length === 0) await dropLease(tx, lease);
        else await tx.run("update perennial_imports set urls = ? where image_id = ?", [urls.join("\n"), lease.imageId]);
        return state;
      });
    },

    async setProperties(lease, properties) {
      return await db.transaction(async (tx) => {
        const { state } = await lockBoth(tx, lease);
        if (state === "held") await writeProperties(tx, lease.imageId, properties, { now: now(), dialect });
        return state;
      });
    },

    async giveUp(lease, { status, failed, outcome }) {
      await db.transaction(async (tx) => {
        const locked = await lockBoth(tx, lease);
        if (locked.state === "lease_lost") return;
        await dropLease(tx, lease);
        await end(tx, lease.taskId, outcome);
        if (locked.state === "image_gone") return;
        const at = { now: now(), dialect };
        await endProgress(tx, lease.imageId, failed, at);
        // Where some stores have the data the image is active, and stays so.
        if (locked.status !== "importing" && locked.status !== "uploading") return;
        const cleared = status === "queued" ? ", size = null, virtual_size = null" : "";
        await tx.run(`update images set status = ?, updated_at = ?${cleared} where id = ?`, [
          status,
          at.now,
          lease.imageId,
        ]);
        if (status === "queued") await writeProperties(tx, lease.imageId, { [stageHostProperty]: null }, at);
      });
    },

    reclaim: (node, options) => reclaimImportLeases(db, node, options),
  };
}

async function liveLocations(tx: Queryable, imageId: string, urls: LocationUrls): Promise<ReadonlySet<string>> {
  const rows = await tx.query<{ id: number; value: string }>(
    `select id, value from image_locations where image_id = ? and ${isLive}`,
    [imageId],
  );
  return new Set(rows.map(({ id, value }) => urls.decode(value, Number(id))));
}

/** Ends the transaction of an import that finds another one at work. */
class Locked extends Error {}

const takenOver: TaskOutcome = {
  status: "failure",
  result: null,
  message: "Nothing was heard of this import for too long; a later one took its place.",
};

function dataColumns(data: ImportedData, { multihash }: Pick<Capabilities, "multihash">): Record<string, SqlValue> {
  const { sizeBytes, virtualSizeBytes, checksum, hash, becomes } = data;
  const formats = becomes ? { disk_format: becomes.diskFormat, container_format: becomes.containerFormat } : {};
  const hashes = multihash ? { os_hash_algo: hash?.algorithm ?? null, os_hash_value: hash?.value ?? null } : {};
  return { size: sizeBytes, virtual_size: virtualSizeBytes, checksum, ...hashes, ...formats };
}
