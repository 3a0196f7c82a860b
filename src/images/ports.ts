// What the domain needs of a database. Implemented by db/repositories; the rules of a release (which column holds the
// visibility, who may see what) reach the implementation through the release's capabilities.
import type { Visibility } from "../releases/catalogue.ts";
import type { Image, ImageDraft, ImageLocation, ImageMember, MemberStatus, Timestamp } from "./image.ts";
import type { ImageStatus } from "./status.ts";

/** Whose eyes a query looks through. An admin sees all projects. */
export type Viewer = { readonly projectId: string | null; readonly isAdmin: boolean };

export type SortKey =
  | "name"
  | "status"
  | "container_format"
  | "disk_format"
  | "size"
  | "id"
  | "created_at"
  | "updated_at";
export type SortDirection = "asc" | "desc";

export type TimeOperator = "eq" | "neq" | "gt" | "gte" | "lt" | "lte";

/** One filter of a list; all must hold. Column names are the API's, which are the database's. */
export type ImageFilter =
  /** Equality with one of `values` (one value: plain equality). */
  | {
      readonly kind: "column";
      readonly column: FilterColumn;
      readonly values: readonly (string | number | boolean | null)[];
    }
  | { readonly kind: "bound"; readonly column: NumberColumn; readonly bound: "min" | "max"; readonly value: number }
  | {
      readonly kind: "time";
      readonly column: "created_at" | "updated_at";
      readonly operator: TimeOperator;
      readonly value: Timestamp;
    }
  | { readonly kind: "tag"; readonly tag: string }
  | { readonly kind: "property"; readonly name: string; readonly value: string };

export type NumberColumn = "size" | "virtual_size" | "min_disk" | "min_ram";
export type FilterColumn =
  | NumberColumn
  | "name"
  | "id"
  | "status"
  | "container_format"
  | "disk_format"
  | "owner"
  | "checksum"
  | "protected";

export type ImageQuery = {
  readonly viewer: Viewer;
  readonly filters: readonly ImageFilter[];
  /** Absent: all that the viewer's default list holds (community images of others only when asked for). */
  readonly visibility?: Visibility;
  /** Which memberships make another project's image listed; default accepted. */
  readonly memberStatus: MemberStatus | "all";
  /** Complete, ties broken: ends with created_at and id. */
  readonly sort: readonly { readonly key: SortKey; readonly direction: SortDirection }[];
  /** The id of the last image of the page before. */
  readonly marker?: string;
  readonly limit: number;
};

/** The changes of one PATCH, or of the service itself. Absent members stay as they are. */
export type ImageChanges = {
  readonly set: Partial<Omit<ImageDraft, "id" | "tags" | "properties">>;
  /** The complete new set, where it changed. */
  readonly tags?: readonly string[];
  /** The complete new set, where it changed; rows of removed ones are soft-deleted. */
  readonly properties?: Readonly<Record<string, string | null>>;
};

export interface ImageRepository {
  /** Stores a queued image with its properties and tags in one transaction. Throws images.duplicate where the id was ever used. */
  create(draft: ImageDraft): Promise<Image>;
  /** The image where the viewer may see it by id; undefined when missing, deleted or invisible. */
  find(id: string, viewer: Viewer): Promise<Image | undefined>;
  /** One page. Throws images.bad_query where the marker is unknown or invisible. Constant in statements and in cost, however deep. */
  list(query: ImageQuery): Promise<readonly Image[]>;
  /** Applies the changes and sets updated_at; returns the image as it then is. Throws images.not_found. */
  update(id: string, changes: ImageChanges): Promise<Image>;
  /** Conditional status change; false where the image no longer is in one of `from`. */
  changeStatus(id: string, from: readonly ImageStatus[], to: ImageStatus): Promise<boolean>;
  /** Soft-deletes the image and its child rows in one transaction. Returns the locations it had, or undefined where it was gone already. */
  remove(id: string): Promise<readonly ImageLocation[] | undefined>;
  /** Idempotent. Counts against `tagsMax` (negative: no limit) in the same transaction; throws images.over_limit. */
  addTag(id: string, tag: string, tagsMax: number): Promise<void>;
  /** False where the image has no such tag. */
  removeTag(id: string, tag: string): Promise<boolean>;
}

export interface MemberRepository {
  list(imageId: string): Promise<readonly ImageMember[]>;
  find(imageId: string, memberId: string): Promise<ImageMember | undefined>;
  /**
   * Status pending; a removed row of the pair is revived. Throws images.duplicate, images.over_limit (`membersMax`, negative: no limit)
   * and, where members need a shared image, images.forbidden if it is no longer shared in the same transaction.
   */
  add(imageId: string, memberId: string, membersMax: number): Promise<ImageMember>;
  /** undefined where there is no such member. */
  setStatus(imageId: string, memberId: string, status: MemberStatus): Promise<ImageMember | undefined>;
  /** False where there is no such member. */
  remove(imageId: string, memberId: string): Promise<boolean>;
}

export type StoredData = {
  readonly url: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly sizeBytes: number;
  readonly checksum: string;
  readonly virtualSizeBytes: number | null;
};

export type UploadLease = {
  readonly imageId: string;
  /** Random; fences a writer whose lease was taken over. */
  readonly leaseId: string;
  readonly node: string;
  /** What `Store.locationFor` said: what to remove when the upload is given up. */
  readonly url: string;
};

/**
 * An image never stays in `saving` because a process died: the upload holds a lease in perennial_uploads, whose times are
 * those of the database's clock.
 *
 *   queued --begin--> saving + lease --finish--> active
 *                        |  `--renew (every third of the lease)
 *                        +--abandon / expired + reclaim--> queued, partial data removed
 */
export interface UploadRepository {
  /** queued -> saving and the lease, in one transaction. False where the image is not queued. */
  begin(lease: UploadLease, leaseSeconds: number): Promise<boolean>;
  /** Extends the lease; false where it is lost (reclaimed, or the image was deleted), which ends the upload. */
  renew(lease: UploadLease, leaseSeconds: number): Promise<boolean>;
  /** saving -> active, size, checksum and location row, lease gone, in one transaction. False where the lease or the image is lost. */
  finish(lease: UploadLease, data: StoredData): Promise<boolean>;
  /** saving -> queued, size cleared, lease gone. Harmless where the lease is lost. */
  abandon(lease: UploadLease): Promise<void>;
  /**
   * Takes over leases that have expired: each is re-leased to `node` under a new leaseId, so that exactly one process cleans up.
   * The caller removes the data, then calls abandon.
   */
  reclaim(node: string, options: { leaseSeconds: number; rowsMax: number }): Promise<readonly UploadLease[]>;
}
