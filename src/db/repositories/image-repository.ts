// Images in the tables of Glance. Every write of more than one row is a transaction that takes the image's row first; so writers of
// one image follow each other, and nobody waits in a circle.
import { type Clock, systemClock } from "../../core/clock.ts";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import type { Image, ImageDraft } from "../../images/image.ts";
import type { ImageChanges, ImageRepository, RemovedData, UploadLease } from "../../images/ports.ts";
import type { ImageStatus } from "../../images/status.ts";
import type { Capabilities, Visibility } from "../../releases/capabilities.ts";
import type { Database, Queryable, SqlValue } from "../database.ts";
import { changeProperties, changeTags, insertProperties, insertTags } from "./image-children.ts";
import { createImageList } from "./image-list.ts";
import { changeLocations, noteLocations, removeLocation } from "./image-locations.ts";
import { removeImage } from "./image-removal.ts";
import { createImageShow } from "./image-show.ts";
import { isLive, softDelete } from "./live-row.ts";
import { projectUsage } from "./project-usage.ts";
import { type Marked, takeBackRemoval } from "./removal-undo.ts";

/** `clock` gives created_at and updated_at, as in Glance; leases go by the database's own. */
export function createImageRepository(
  db: Database,
  capabilities: Capabilities,
  clock: Clock = systemClock,
): ImageRepository {
  const { dialect, locationUrls } = db;
  const { show, load } = createImageShow(db, capabilities);
  const list = createImageList(db, capabilities);
  const timestamp = () => `${new Date(clock.nowMs()).toISOString().slice(0, 19)}Z`;
  const now = () => dialect.encodeTime(timestamp());
  const { visibilityStoredAs } = capabilities;
  const removedData = (lease: UploadLease, marked: Marked): RemovedData => ({
    cleanup: lease,
    takeBack: (lostUrls) => takeBackRemoval(db, { lease, marked, lostUrls, now: now(), visibilityStoredAs }),
  });

  return {
    list,
    find: (id, viewer) => show(db, id, viewer),

    async create(draft) {
      const createdAt = timestamp();
      const at = dialect.encodeTime(createdAt);
      const values = { ...columnValues(draft, capabilities), id: draft.id, status: "queued", deleted: false };
      const row: Record<string, SqlValue> = { ...values, created_at: at, updated_at: at };
      const names = Object.keys(row);
      const sql = `insert into images (${names.join(", ")}) values (${names.map(() => "?").join(", ")})`;
      const tags = [...new Set(draft.tags)];
      const properties = Object.entries(draft.properties);
      const insertImage = async (to: Queryable) => {
        try {
          await to.run(sql, Object.values(row));
        } catch (error) {
          if (!isServiceError(error, "db.duplicate")) throw error;
          throw new ServiceError("images.duplicate", `An image with the id ${draft.id} exists, or existed.`, {
            facts: { imageId: draft.id },
            cause: error,
          });
        }
      };
      if (tags.length + properties.length === 0) await insertImage(db);
      else
        await db.transaction(async (tx) => {
          await insertImage(tx);
          await insertProperties(tx, draft.id, properties, at);
          await insertTags(tx, draft.id, tags, at);
        });
      return newImage(draft, tags, createdAt);
    },

    async update(id, changes) {
      return await db.transaction(async (tx) => {
        const at = now();
        const values = { ...columnValues(changes.set, capabilities), ...activationValues(changes, capabilities) };
        await takeImage(tx, id, changes, { ...values, updated_at: at });
        const image = await load(tx, id);
        if (!image) throw notFound(id);
        const { properties, tags, locations } = changes;
        const held = { id: image.image.id, children: image.children };
        const when = { now: at, dialect, locationUrls };
        if (properties) await changeProperties(tx, held, properties, when);
        if (tags) await changeTags(tx, held, tags, when);
        if (locations) await changeLocations(tx, id, locations, when);
        if (!properties && !tags && !locations) return image.image;
        return (await load(tx, id))?.image ?? image.image;
      });
    },

    async changeStatus(id, from, to) {
      // A queued image has no data, so it has no size either.
      const cleared = to === "queued" ? ", size = null, virtual_size = null" : "";
      const { rowsAffected } = await db.run(
        `update images set status = ?, updated_at = ?${cleared} where id = ? and deleted = false and status in (${from.map(() => "?").join(", ")})`,
        [to, now(), id, ...from],
      );
      return rowsAffected > 0;
    },

    async remove(id, cleanup, { delayed } = { delayed: false }) {
      const options = { id, cleanup, delayed, now: now(), dialect, locationUrls, visibilityStoredAs };
      const removed = await db.transaction((tx) => removeImage(tx, options));
      if (!removed) return undefined;
      return removed.cleanup ? removedData(removed.cleanup, removed.marked) : { cleanup: null };
    },

    async removeLocation(id, url, cleanup) {
      const removed = await removeLocation(db, { id, url, cleanup, now: now() });
      return removedData(removed.cleanup, removed.marked);
    },

    noteLocations: (id, locations) => noteLocations(db, { id, locations, now: now() }),

    async storageUsed(owner) {
      const [row] = await db.query<{ bytes: unknown }>(
        `select sum(i.size) as bytes from images i join image_locations l on l.image_id = i.id and l.${isLive}
         where i.owner ${owner === null ? "is null" : "= ?"} and i.size > 0 and i.status not in ('killed', 'deleted', 'pending_delete')`,
        owner === null ? [] : [owner],
      );
      return Number(row?.bytes ?? 0);
    },

    projectUsage: (owner) => projectUsage(db, owner),

    async addTag(id, tag, tagsMax) {
      await db.transaction(async (tx) => {
        const at = now();
        await takeImage(tx, id, {}, { updated_at: at });
        const rows = await liveTags(tx, id);
        const tags = new Set(rows.map((row) => row.value));
        if (tags.has(tag)) return;
        if (tagsMax >= 0 && tags.size >= tagsMax)
          throw new ServiceError("images.over_limit", `Image ${id} has ${tags.size} tags; ${tagsMax} are allowed.`, {
            facts: { imageId: id, tags: tags.size, tagsMax },
          });
        await insertTags(tx, id, [tag], at);
      });
    },

    async removeTag(id, tag) {
      return await db.transaction(async (tx) => {
        const [image] = await tx.query(`select id from images where id = ? and deleted = false${dialect.forUpdate}`, [
          id,
        ]);
        // Compared here: collations take `A` for `a`.
        const rows = image ? (await liveTags(tx, id)).filter((row) => row.value === tag) : [];
        if (rows.length === 0) return false;
        const at = now();
        await tx.run("update images set updated_at = ? where id = ?", [at, id]);
        await softDelete(
          tx,
          "image_tags",
          rows.map((row) => row.id),
          { now: at, dialect },
        );
        return true;
      });
    },
  };
}

/**
 * Writes the image's row, which locks it for the rest of the transaction. Throws images.not_found, images.status_conflict.
 * Reads that follow see what earlier writers of the image left: on MySQL the snapshot begins with the first plain read.
 */
async function takeImage(
  tx: Queryable,
  id: string,
  { whileStatus }: Pick<ImageChanges, "whileStatus">,
  values: Readonly<Record<string, SqlValue>>,
): Promise<void> {
  const assignments = Object.keys(values).map((column) => `${column} = ?`);
  const condition = whileStatus ? ` and status in (${whileStatus.map(() => "?").join(", ")})` : "";
  const { rowsAffected } = await tx.run(
    `update images set ${assignments.join(", ")} where id = ? and deleted = false${condition}`,
    [...Object.values(values), id, ...(whileStatus ?? [])],
  );
  if (rowsAffected > 0) return;
  const [row] = await tx.query<{ status: ImageStatus }>("select status from images where id = ? and deleted = false", [
    id,
  ]);
  if (!row) throw notFound(id);
  throw new ServiceError("images.status_conflict", `Image ${id} is ${row.status}, which does not allow this change.`, {
    facts: { imageId: id, status: row.status },
  });
}

function liveTags(tx: Queryable, id: string): Promise<{ id: number; value: string }[]> {
  return tx.query(`select id, value from image_tags where image_id = ? and ${isLive} order by id`, [id]);
}

type Settable = Partial<Omit<ImageDraft, "id" | "tags" | "properties">>;

const columnOf = {
  name: "name",
  protected: "protected",
  owner: "owner",
  diskFormat: "disk_format",
  containerFormat: "container_format",
  minDiskGb: "min_disk",
  minRamMb: "min_ram",
} as const satisfies Partial<Record<keyof Settable, string>>;

/**
 * The columns that a draft or a change names. The visibility is written only under the name this release has for it: in an expanded
 * schema the triggers derive the other one, and refuse rows that name both.
 */
function columnValues(values: Settable, capabilities: Capabilities): Record<string, SqlValue> {
  const { visibilityStoredAs, hiding } = capabilities;
  const row: Record<string, SqlValue> = {};
  for (const [name, column] of Object.entries(columnOf)) {
    const value = values[name as keyof typeof columnOf];
    if (value !== undefined) row[column] = value;
  }
  if (hiding && values.hidden !== undefined) row.os_hidden = values.hidden;
  if (values.visibility !== undefined)
    row[visibilityStoredAs] = storedVisibility(values.visibility, visibilityStoredAs);
  return row;
}

function activationValues(
  { activation }: Pick<ImageChanges, "activation">,
  { multihash }: Capabilities,
): Record<string, SqlValue> {
  if (!activation) return {};
  const { sizeBytes, checksum, hash } = activation;
  const hashes = multihash ? { os_hash_algo: hash?.algorithm ?? null, os_hash_value: hash?.value ?? null } : {};
  return { status: "active", size: sizeBytes, checksum, ...hashes };
}

function storedVisibility(visibility: Visibility, storedAs: Capabilities["visibilityStoredAs"]): SqlValue {
  return storedAs === "is_public" ? visibility === "public" : visibility;
}

function newImage(draft: ImageDraft, tags: readonly string[], createdAt: string): Image {
  return {
    ...draft,
    tags,
    status: "queued",
    sizeBytes: null,
    virtualSizeBytes: null,
    checksum: null,
    hashAlgorithm: null,
    hashValue: null,
    createdAt,
    updatedAt: createdAt,
    locations: [],
  };
}

function notFound(id: string): ServiceError {
  return new ServiceError("images.not_found", `There is no image ${id}.`, { facts: { imageId: id } });
}
