// An image and its parts, as the domain sees them: no column names, no JSON member names.
import type { Visibility } from "../releases/capabilities.ts";
import type { ImageStatus } from "./status.ts";

/** UTC, whole seconds: `2026-11-23T05:54:06Z`. The form the API shows, so that no request converts dates. */
export type Timestamp = string;

export type ImageLocation = {
  readonly url: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly status: string;
};

export type Image = {
  readonly id: string;
  readonly name: string | null;
  readonly status: ImageStatus;
  readonly visibility: Visibility;
  readonly protected: boolean;
  /** Left out of lists unless asked for. False on releases that hide no images. */
  readonly hidden: boolean;
  /** Project id; null for images made without identity. */
  readonly owner: string | null;
  readonly diskFormat: string | null;
  readonly containerFormat: string | null;
  readonly minDiskGb: number;
  readonly minRamMb: number;
  readonly sizeBytes: number | null;
  readonly virtualSizeBytes: number | null;
  /** MD5 of the data, 32 hex digits. */
  readonly checksum: string | null;
  /** Another hash of the data, hex, and its algorithm; null where a node uploaded it whose release has none. */
  readonly hashAlgorithm: string | null;
  readonly hashValue: string | null;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp;
  readonly tags: readonly string[];
  /** Custom properties. NULL from v1 days is kept; the API shows it as "". */
  readonly properties: Readonly<Record<string, string | null>>;
  /** Live ones only, in row order. */
  readonly locations: readonly ImageLocation[];
};

/** What a client may set. Times, status, size and checksum are the service's own. */
export type ImageDraft = Pick<
  Image,
  | "id"
  | "name"
  | "visibility"
  | "protected"
  | "hidden"
  | "owner"
  | "diskFormat"
  | "containerFormat"
  | "minDiskGb"
  | "minRamMb"
  | "tags"
  | "properties"
>;

export type MemberStatus = "pending" | "accepted" | "rejected";

export type ImageMember = {
  readonly imageId: string;
  /** Project id. */
  readonly memberId: string;
  readonly status: MemberStatus;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp;
};
