// The status machine of an image (reference: images-api.md, section 18). Before Pike nothing is ever uploading or importing.
//
//   queued -> saving -> active <-> deactivated
//   queued -> uploading -> importing -> active     queued -> importing
//   saving, uploading, importing -> queued         importing -> uploading
//   active -> pending_delete -> deleted
//   every live status -> deleted

import type { Capabilities } from "../releases/capabilities.ts";

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

const statuses = ["queued", "saving", "active", "killed", "deleted", "pending_delete", "deactivated"] as const;
const importStatuses = ["uploading", "importing"] as const;

/** As the release's schema of an image lists them. */
export function statusesOf({ importing }: Pick<Capabilities, "importing">): readonly ImageStatus[] {
  return importing ? [...statuses, ...importStatuses] : statuses;
}

const next: Readonly<Record<ImageStatus, readonly ImageStatus[]>> = {
  queued: ["saving", "uploading", "importing", "active", "deleted"],
  saving: ["active", "killed", "deleted", "queued"],
  uploading: ["importing", "queued", "deleted"],
  // Back to uploading: its process died, and the staged data is still there.
  importing: ["active", "queued", "uploading", "deleted"],
  active: ["pending_delete", "deleted", "deactivated"],
  // The reference refuses to delay the deletion of one that is out of use.
  deactivated: ["active", "pending_delete", "deleted"],
  killed: ["deleted"],
  pending_delete: ["deleted"],
  deleted: [],
};

/** What a node of this release may do; the database holds it true by conditional updates. */
export function mayBecome(from: ImageStatus, to: ImageStatus): boolean {
  return next[from].includes(to);
}
