// Our own indexes on Glance's tables, as data: the lists of image-list.ts walk them, the schema engine creates them for the releases
// whose nodes may run. With them a page costs the same at any size of the table, however deep, and whoever looks.
import type { Capabilities } from "../../releases/capabilities.ts";

export type ListIndex = {
  readonly name: string;
  readonly table: "images" | "image_members";
  readonly columns: readonly string[];
};

/** The indexes that a list page walks, by what the images on it have in common. */
export type PageIndexes = {
  readonly all: ListIndex;
  readonly owner: ListIndex;
  /** Public or not, or the visibility, as the release keeps it. */
  readonly visibility: ListIndex;
};

/**
 * Walked backwards from the marker: equality on what stands before created_at, then order for free. The status at the end lets a walk
 * pass over what is not listed without looking at the rows, which lie scattered over a large table.
 */
const pageIndex = (name: string, ...equal: readonly string[]): ListIndex => ({
  name: `perennial_images_${name}`,
  table: "images",
  columns: [...equal, "created_at", "id", "status"],
});

/** Of releases without hidden images, and of those that have them: a list shows one kind or the other. */
const plain = (name: string, ...equal: readonly string[]) => pageIndex(name, ...equal, "deleted");
const shown = (name: string, ...equal: readonly string[]) =>
  pageIndex(`shown_${name}`, ...equal, "deleted", "os_hidden");

const byIsPublic: PageIndexes = {
  all: plain("created"),
  owner: plain("owner", "owner"),
  visibility: plain("is_public", "is_public"),
};
const byVisibility: PageIndexes = { ...byIsPublic, visibility: plain("visibility", "visibility") };
const shownByVisibility: PageIndexes = {
  all: shown("created"),
  owner: shown("owner", "owner"),
  visibility: shown("visibility", "visibility"),
};

type Sight = Pick<Capabilities, "visibilityStoredAs" | "hiding">;

export function pageIndexesOf({ visibilityStoredAs, hiding }: Sight): PageIndexes {
  if (visibilityStoredAs === "is_public") return byIsPublic;
  return hiding ? shownByVisibility : byVisibility;
}

/** Clients look images up by name more than by anything else but the id. */
export const nameIndex: ListIndex = { name: "perennial_images_name", table: "images", columns: ["name", "deleted"] };
/** The images that a project is a member of. */
export const memberIndex: ListIndex = {
  name: "perennial_members_member",
  table: "image_members",
  columns: ["member", "deleted", "status", "image_id"],
};

/** Those that nodes of a release ask for by name. */
export function indexesOf(sight: Sight): readonly ListIndex[] {
  return [...Object.values(pageIndexesOf(sight)), nameIndex, memberIndex];
}
