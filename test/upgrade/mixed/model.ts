// What nodes of Newton and of Ocata do to an image's row, and what each of them shows of it, as a model small enough to be read: the
// triggers' truth table, the backfill, and the two ways of reading. The property test holds real nodes against it.
//
//   newton --expand--> expanded --migrate--> migrated (both releases run) --contract--> contracted (Ocata alone)
export type Release = "newton" | "ocata";
export type Stage = "newton" | "expanded" | "migrated" | "contracted";
export type Visibility = "public" | "private" | "shared" | "community";
export type MemberStatus = "pending" | "accepted" | "rejected";

export type ModelImage = {
  readonly id: string;
  readonly owner: string;
  isPublic: boolean;
  /** null: the row is older than the column's triggers, and not migrated yet. */
  visibility: Visibility | null;
  readonly members: Map<string, MemberStatus>;
};

/** `requested`: absent for the release's default. */
export function create(
  image: Pick<ModelImage, "id" | "owner">,
  by: Release,
  stage: Stage,
  requested?: Visibility,
): ModelImage {
  const isPublic = requested === "public";
  const members = new Map<string, MemberStatus>();
  if (by === "ocata") return { ...image, isPublic, visibility: requested ?? "shared", members };
  // An old node's row says only whether it is public; the trigger makes shared of what is not.
  const derived = isPublic ? "public" : "shared";
  return { ...image, isPublic, visibility: stage === "newton" ? null : derived, members };
}

export function setVisibility(image: ModelImage, by: Release, stage: Stage, requested: Visibility): void {
  const isPublic = requested === "public";
  if (by === "ocata") {
    image.visibility = requested;
    image.isPublic = isPublic;
  } else if (image.isPublic !== isPublic) {
    image.isPublic = isPublic;
    // The trigger acts on a change alone: an old node that writes what stood there leaves community and private as they are.
    if (stage !== "newton") image.visibility = isPublic ? "public" : "shared";
  }
}

export function mayHaveMembers(image: ModelImage, by: Release): boolean {
  return by === "newton" ? !image.isPublic : image.visibility === "shared";
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

export function shownAs(image: ModelImage, by: Release): Visibility | null {
  if (by === "ocata") return image.visibility;
  return image.isPublic ? "public" : "private";
}

/** Whether `project` gets the image by its id. */
export function isVisible(image: ModelImage, by: Release, project: string): boolean {
  if (image.owner === project) return true;
  if (by === "newton") return image.isPublic || image.members.has(project);
  if (image.visibility === "public" || image.visibility === "community") return true;
  return image.visibility === "shared" && image.members.has(project);
}

/** Whether it stands in the project's list when nothing particular is asked for. */
export function isListed(image: ModelImage, by: Release, project: string): boolean {
  const accepted = image.members.get(project) === "accepted";
  if (by === "newton") return image.owner === project || image.isPublic || accepted;
  if (image.owner === project || image.visibility === "public") return true;
  return image.visibility === "shared" && accepted;
}
