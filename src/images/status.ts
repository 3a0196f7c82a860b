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
