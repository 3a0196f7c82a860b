// Members of images. Adding one takes the image's row first, so that an image which stops being shared, or is deleted, at the same
// moment does not get a member it should not have.
import { type Clock, systemClock } from "../../core/clock.ts";
import { ServiceError } from "../../core/errors.ts";
import type { ImageMember, MemberStatus } from "../../images/image.ts";
import type { MemberRepository } from "../../images/ports.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import type { Database, Queryable } from "../database.ts";
import { readVisibility } from "./image-row.ts";
import { isLive } from "./live-row.ts";
import { type MemberRow, memberColumns, softDeleteMembers } from "./member-rows.ts";

export function createMemberRepository(
  db: Database,
  capabilities: Capabilities,
  clock: Clock = systemClock,
): MemberRepository {
  const { dialect } = db;
  const { visibilityStoredAs, membersOnSharedOnly } = capabilities;
  const now = () => dialect.encodeTime(new Date(clock.nowMs()).toISOString());

  const liveRows = (from: Queryable, imageId: string) =>
    from.query<MemberRow>(`select ${memberColumns} from image_members where image_id = ? and ${isLive} order by id`, [
      imageId,
    ]);

  /** Live and removed ones. Compared here: collations take `A` for `a`. */
  async function rowsOf(from: Queryable, imageId: string, memberId: string): Promise<readonly MemberRow[]> {
    const rows = await from.query<MemberRow>(
      `select ${memberColumns} from image_members where image_id = ? and member = ? order by id`,
      [imageId, memberId],
    );
    return rows.filter((row) => row.member === memberId);
  }

  async function find(from: Queryable, imageId: string, memberId: string): Promise<ImageMember | undefined> {
    const row = (await rowsOf(from, imageId, memberId)).find((candidate) => !candidate.deleted);
    return row && read(imageId, row);
  }

  function read(imageId: string, row: MemberRow): ImageMember {
    const createdAt = dialect.decodeTime(row.created_at);
    return {
      imageId,
      memberId: row.member,
      status: row.status as MemberStatus,
      createdAt,
      updatedAt: row.updated_at === null ? createdAt : dialect.decodeTime(row.updated_at),
    };
  }

  /** Locks the image's row. */
  async function requireSharable(tx: Queryable, imageId: string): Promise<void> {
    const [image] = await tx.query<{ is_public?: unknown; visibility?: unknown }>(
      `select ${visibilityStoredAs} from images where id = ? and deleted = false${dialect.forUpdate}`,
      [imageId],
    );
    if (!image) throw new ServiceError("images.not_found", `There is no image ${imageId}.`, { facts: { imageId } });
    const visibility = readVisibility(image);
    if (membersOnSharedOnly ? visibility === "shared" : visibility !== "public") return;
    throw new ServiceError("images.forbidden", `Image ${imageId} is ${visibility}; it has no members.`, {
      facts: { imageId, visibility },
    });
  }

  return {
    async list(imageId) {
      const seen = new Map<string, MemberRow>();
      for (const row of await liveRows(db, imageId)) if (!seen.has(row.member)) seen.set(row.member, row);
      return [...seen.values()].map((row) => read(imageId, row));
    },

    find: (imageId, memberId) => find(db, imageId, memberId),

    async add(imageId, memberId, membersMax) {
      return await db.transaction(async (tx) => {
        await requireSharable(tx, imageId);
        const rows = await rowsOf(tx, imageId, memberId);
        if (rows.some((row) => !row.deleted))
          throw new ServiceError("images.duplicate", `${memberId} is a member of image ${imageId} already.`, {
            facts: { imageId, memberId },
          });
        const members = new Set((await liveRows(tx, imageId)).map((row) => row.member)).size;
        if (membersMax >= 0 && members >= membersMax)
          throw new ServiceError(
            "images.over_limit",
            `Image ${imageId} has ${members} members; ${membersMax} are allowed.`,
            {
              facts: { imageId, members, membersMax },
            },
          );
        const at = now();
        const removed = rows.at(-1);
        if (removed)
          await tx.run("update image_members set deleted = false, status = 'pending', updated_at = ? where id = ?", [
            at,
            removed.id,
          ]);
        else
          await tx.run(
            "insert into image_members (image_id, member, can_share, status, created_at, updated_at, deleted) values (?, ?, ?, 'pending', ?, ?, ?)",
            [imageId, memberId, false, at, at, false],
          );
        const added = await find(tx, imageId, memberId);
        if (!added) throw new TypeError("a row that was just written is there");
        return added;
      });
    },

    async setStatus(imageId, memberId, status) {
      const rows = (await rowsOf(db, imageId, memberId)).filter((row) => !row.deleted);
      const [row] = rows;
      if (!row) return undefined;
      const at = now();
      const { rowsAffected } = await db.run(
        `update image_members${dialect.byPrimaryKey} set status = ?, updated_at = ? where ${isLive} and id in (${rows.map(() => "?").join(", ")})`,
        [status, at, ...rows.map(({ id }) => id)],
      );
      return rowsAffected > 0 ? read(imageId, { ...row, status, updated_at: at }) : undefined;
    },

    async remove(imageId, memberId) {
      return await db.transaction(async (tx) => {
        // In the order in which everybody takes them: a trigger of an expanded schema looks at the image, too.
        await tx.query(`select id from images where id = ?${dialect.forUpdate}`, [imageId]);
        const live = (await rowsOf(tx, imageId, memberId)).filter((row) => !row.deleted);
        if (live.length === 0) return false;
        const ids = live.map((row) => row.id);
        return (await softDeleteMembers(tx, ids, { now: now(), dialect })) > 0;
      });
    },
  };
}
