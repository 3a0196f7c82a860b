// What nodes of any two releases do to an image's row, and what each of them shows of it, as a model small enough to be read: the triggers'
// truth table, the backfill, the way back, and each release's own way of reading. The property test holds real nodes against it.
import type { Capabilities, Visibility } from "../../../src/releases/capabilities.ts";

export type { Visibility };
export type MemberStatus = "pending" | "accepted" | "rejected";
/** What a release's nodes can do, as far as it shows. */
export type By = Pick<
  Capabilities,
  "visibilityStoredAs" | "visibilities" | "visibilityDefault" | "membersOnSharedOnly" | "hiding" | "multihash"
>;
/** Whether images.visibility stands there, and the triggers with it where old nodes write too. */
export type Table = { readonly hasVisibility: boolean };

export type ModelImage = {
  readonly id: string;
  readonly owner: string;
  isPublic: boolean;
  /** null: the row is older than the column, and not migrated yet. */
  visibility: Visibility | null;
  hidden: boolean;
  /** Of the second hash; null: none. undefined: it has no data yet. */
  hash: string | null | undefined;
  readonly members: Map<string, MemberStatus>;
};

const readsVisibility = (by: By) => by.visibilityStoredAs === "visibility";

/** `requested`: absent for the release's default. */
export function create(
  image: Pick<ModelImage, "id" | "owner">,
  by: By,
  table: Table,
  requested?: Visibility,
): ModelImage {
  const asked = requested ?? by.visibilityDefault;
  const isPublic = asked === "public";
  // An old node's row says only whether it is public; the trigger makes shared of what is not.
  const derived = isPublic ? "public" : "shared";
  const visibility = readsVisibility(by) ? asked : table.hasVisibility ? derived : null;
  return { ...image, isPublic, visibility, hidden: false, hash: undefined, members: new Map() };
}

export function setVisibility(image: ModelImage, by: By, table: Table, requested: Visibility): void {
  const isPublic = requested === "public";
  if (readsVisibility(by)) {
    image.visibility = requested;
    image.isPublic = isPublic;
  } else if (image.isPublic !== isPublic) {
    image.isPublic = isPublic;
    // The trigger acts on a change alone: an old node that writes what stood there leaves community and private as they are.
    if (table.hasVisibility) image.visibility = isPublic ? "public" : "shared";
  }
}

/** Data is uploaded once; the node that takes it computes what its release knows. */
export function upload(image: ModelImage, by: By): void {
  image.hash = by.multihash ? "sha512" : null;
}

export function mayHaveMembers(image: ModelImage, by: By): boolean {
  return by.membersOnSharedOnly ? image.visibility === "shared" : !image.isPublic;
}

export function addMember(image: ModelImage, member: string): void {
  image.members.set(member, "pending");
  // What an old node shares must not be invisible to new nodes.
  if (image.visibility === "private") image.visibility = "shared";
}

export function migrate(image: ModelImage): void {
  if (image.visibility !== null) return;
  if (image.isPublic) image.visibility = "public";
  else image.visibility = image.members.size > 0 ? "shared" : "private";
}

/** Back to an older release: what it has no columns for is forgotten. */
export function revert(image: ModelImage, to: By): void {
  if (!readsVisibility(to)) image.visibility = null;
  if (!to.hiding) image.hidden = false;
  if (!to.multihash && image.hash !== undefined) image.hash = null;
}

/** What an answer says of it; `hash` and `hidden` only at releases that have them. */
export type Shown = {
  readonly visibility: Visibility | null;
  readonly hidden?: boolean;
  readonly hash?: string | null;
};

export function shownAs(image: ModelImage, by: By): Shown {
  return {
    visibility: readsVisibility(by) ? image.visibility : image.isPublic ? "public" : "private",
    ...(by.hiding ? { hidden: image.hidden } : {}),
    ...(by.multihash ? { hash: image.hash ?? null } : {}),
  };
}

/** Whether `project` gets the image by its id. */
export function isVisible(image: ModelImage, by: By, project: string): boolean {
  if (image.owner === project) return true;
  if (!readsVisibility(by)) return image.isPublic || image.members.has(project);
  if (image.visibility === "public" || image.visibility === "community") return true;
  return image.visibility === "shared" && image.members.has(project);
}

/** Whether it stands in the project's list when nothing particular is asked for. */
export function isListed(image: ModelImage, by: By, project: string): boolean {
  if (by.hiding && image.hidden) return false;
  const accepted = image.members.get(project) === "accepted";
  if (!readsVisibility(by)) return image.owner === project || image.isPublic || accepted;
  if (image.owner === project || image.visibility === "public") return true;
  return image.visibility === "shared" && accepted;
}
