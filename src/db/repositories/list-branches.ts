// Whose images a list holds, as branches that are each a walk along one index: an OR over owner, visibility and membership would make the
// server merge indexes or scan, and then a page costs as much as the table is long. database.md 6.1 (is_public) and 6.2 (visibility).
import type { ImageQuery } from "../../images/ports.ts";
import type { Capabilities } from "../../releases/capabilities.ts";
import type { SqlCondition, SqlValue } from "../database.ts";
import type { PageIndexes } from "./list-indexes.ts";
import { isLive } from "./live-row.ts";

export type Branch =
  /** `index` serves the condition, and its order too. */
  | { readonly through: "images"; readonly index: keyof PageIndexes; readonly where: SqlCondition }
  /** Reached through image_members m, by the index on members. */
  | { readonly through: "members"; readonly where: SqlCondition };

type Sight = { readonly query: ImageQuery; readonly capabilities: Capabilities };

/** The union of the branches is the list; they may overlap. None: the list is empty. */
export function branchesOf(query: ImageQuery, capabilities: Capabilities): readonly Branch[] {
  const sight = { query, capabilities };
  return capabilities.visibilityStoredAs === "is_public" ? byIsPublic(sight) : byVisibility(sight);
}

function byVisibility(sight: Sight): readonly Branch[] {
  const { viewer, visibility } = sight.query;
  if (visibility === "public" || visibility === "community") return [withVisibility(visibility)];
  if (viewer.isAdmin) {
    if (visibility === "all") return [inAll()];
    if (visibility) return [withVisibility(visibility)];
    // Another project's community images are found only when asked for, even by an admin.
    const own = viewer.projectId === null ? [] : [viewer.projectId];
    const community = `(i.visibility is null or i.visibility <> 'community'${own.length > 0 ? " or i.owner = ?" : ""})`;
    return [inAll(community, own)];
  }
  if (visibility === "private") return ownImages(sight, " and i.visibility = 'private'");
  if (visibility === "shared")
    return [
      ...ownImages(sight, " and i.visibility = 'shared'"),
      ...memberImages(sight, " and i.visibility = 'shared'"),
    ];
  return [
    withVisibility("public"),
    ...(visibility === "all" ? [withVisibility("community")] : []),
    ...ownImages(sight),
    ...memberImages(sight, " and i.visibility = 'shared'"),
  ];
}

function byIsPublic(sight: Sight): readonly Branch[] {
  const { viewer, visibility } = sight.query;
  const isPublic = (flag: boolean): Branch => branch("visibility", `i.is_public = ${flag}`);
  if (visibility === "public") return [isPublic(true)];
  if (visibility === "community") return [];
  if (viewer.isAdmin) {
    if (visibility === "private") return [isPublic(false)];
    if (visibility === "shared")
      return [inAll(`exists (select 1 from image_members m where m.image_id = i.id and m.${isLive})`)];
    return [inAll()];
  }
  // Members work on every image there; `shared` is what others let us see, whatever became of the image since.
  if (visibility === "shared") return memberImages(sight);
  if (visibility === "private")
    return [...ownImages(sight, " and i.is_public = false"), ...memberImages(sight, " and i.is_public = false")];
  return [isPublic(true), ...ownImages(sight), ...memberImages(sight)];
}

function branch(index: keyof PageIndexes, sql: string, params: readonly SqlValue[] = []): Branch {
  return { through: "images", index, where: { sql, params } };
}

const withVisibility = (visibility: string) => branch("visibility", "i.visibility = ?", [visibility]);

/** An admin's view of everything; the owner of a filter by owner is found by its index. */
const inAll = (sql = "1 = 1", params: readonly SqlValue[] = []) => branch("all", sql, params);

function ownImages({ query }: Sight, and = ""): readonly Branch[] {
  const { projectId } = query.viewer;
  return projectId === null ? [] : [branch("owner", `i.owner = ?${and}`, [projectId])];
}

function memberImages({ query }: Sight, and = ""): readonly Branch[] {
  const { projectId } = query.viewer;
  if (projectId === null) return [];
  const status = query.memberStatus === "all" ? [] : [query.memberStatus];
  return [
    {
      through: "members",
      where: {
        sql: `m.member = ? and m.deleted = false${status.length > 0 ? " and m.status = ?" : ""}${and}`,
        params: [projectId, ...status],
      },
    },
  ];
}
