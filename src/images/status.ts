// The status machine of an image at Newton and Ocata (reference: images-api.md, section 18).
//
//   queued -> saving -> active <-> deactivated
//     ^         |         |            |
//     +---------+         +-> pending_delete -> deleted
//   every live status -> deleted

export type ImageStatus =
  | "queued"
  | "saving"
  | "uploading"
  | "importing"
  | "active"
  | "deactivated"
  | "killed"
  | "pending_delete"
  | "deleted";

const next: Readonly<Record<ImageStatus, readonly ImageStatus[]>> = {
  queued: ["saving", "active", "deleted"],
  saving: ["active", "killed", "deleted", "queued"],
  // Written by later releases only; a node of this one can do nothing with such an image but delete it.
  uploading: ["deleted"],
  importing: ["deleted"],
  active: ["pending_delete", "deleted", "deactivated"],
  deactivated: ["active", "deleted"],
  killed: ["deleted"],
  pending_delete: ["deleted"],
  deleted: [],
};

/** What a node of this release may do; the database holds it true by conditional updates. */
export function mayBecome(from: ImageStatus, to: ImageStatus): boolean {
  return next[from].includes(to);
}
