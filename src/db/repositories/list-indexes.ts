// Our own indexes on Glance's tables, as data: the lists of image-list.ts walk them, the schema engine creates them for the releases
// whose nodes may run. With them a page costs the same at any size of the table, however deep, and whoever looks.
import type { Capabilities } from "../../releases/capabilities.ts";

export type ListIndex = {
  readonly name: string;
  readonly table: "images" | "image_members";
  readonly columns: readonly string[];
};

/**
 * A list page walks one of these backwards from the marker: equality on what stands before created_at, then order for free. The status at
 * its end lets a walk pass over what is not listed without looking at the rows, which lie scattered over a large table.
 */
const pageIndex = (name: string, ...equal: readonly string[]): ListIndex => ({
  name,
  table: "images",
  columns: [...equal, "deleted", "created_at", "id", "status"],
});

export const createdIndex = pageIndex("perennial_images_created");
export const ownerIndex = pageIndex("perennial_images_owner", "owner");
/** Of releases that keep visibility as is_public, and of those that keep it as visibility. */
export const isPublicIndex = pageIndex("perennial_images_is_public", "is_public");
export const visibilityIndex = pageIndex("perennial_images_visibility", "visibility");
/** Clients look images up by name more than by anything else but the id. */
export const nameIndex: ListIndex = { name: "perennial_images_name", table: "images", columns: ["name", "deleted"] };
/** The images that a project is a member of. */
export const memberIndex: ListIndex = {
  name: "perennial_members_member",
  table: "image_members",
  columns: ["member", "deleted", "status", "image_id"],
};

/** Those that nodes of a release ask for by name. */
export function indexesOf({ visibilityStoredAs }: Pick<Capabilities, "visibilityStoredAs">): readonly ListIndex[] {
  const kindIndex = visibilityStoredAs === "is_public" ? isPublicIndex : visibilityIndex;
  return [createdIndex, ownerIndex, kindIndex, nameIndex, memberIndex];
}
