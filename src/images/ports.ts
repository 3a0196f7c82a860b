// What the domain needs of a database. Implemented by db/repositories; the rules of a release (which column holds the
// visibility, who may see what) reach the implementation through the release's capabilities.
// And of a cache of image data on this node, implemented by cache/.
import type { Readable } from "node:stream";
import type { VisibilityFilter } from "../releases/capabilities.ts";
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
  | "os_hash_algo"
  | "os_hash_value"
  | "protected";

export type ImageQuery = {
  readonly viewer: Viewer;
  readonly filters: readonly ImageFilter[];
  /** Absent: all that the viewer's default list holds (community images of others only when asked for). */
  readonly visibility?: VisibilityFilter;
  /** Either the hidden images or the others; absent where the release hides none. */
  readonly hidden?: boolean;
  /** Which memberships make another project's image listed; default accepted. */
  readonly memberStatus: MemberStatus | "all";
  /** Complete, ties broken: ends with created_at and id. */
  readonly sort: readonly { readonly key: SortKey; readonly direction: SortDirection }[];
  /** The id of the last image of the page before. */
  readonly marker?: string;
  readonly limit: number;
};

/** Changes of an image's locations, which are known by their URLs. */
export type LocationChanges = {
  readonly add: readonly ImageLocation[];
  /** New metadata of some that are there. */
  readonly note: readonly ImageLocation[];
  /** Their rows are soft-deleted. */
  readonly remove: readonly string[];
  /** Negative: no limit. */
  readonly locationsMax: number;
  /** With what the same transaction writes a lease on the URLs of removed ones, whose data the caller then removes. */
  readonly cleanup: Cleanup;
};

/** The changes of one PATCH, or of the service itself. Absent members stay as they are. */
export type ImageChanges = {
  readonly set: Partial<Omit<ImageDraft, "id" | "tags" | "properties">>;
  /** The complete new set, where it changed. */
  readonly tags?: readonly string[];
  /** What changed, and nothing else: two PATCHes at once that touch different properties both survive. Rows of removed ones are soft-deleted. */
  readonly properties?: {
    readonly set: Readonly<Record<string, string | null>>;
    readonly remove: readonly string[];
  };
  /** What changed, and nothing else, as with properties. */
  readonly locations?: LocationChanges;
  /** The image gets its first location and becomes active, with what is known of its data. Comes with `whileStatus: ["queued"]`. */
  readonly activation?: {
    readonly sizeBytes: number;
    readonly checksum: string | null;
    /** null also where the release has none. */
    readonly hash: ContentHash | null;
  };
  /** The change holds only while the image is in one of these; absent: in any live status. */
  readonly whileStatus?: readonly ImageStatus[];
};

/** Data that no image needs any longer: who removes it, under which lease. */
export type Cleanup = { readonly leaseId: string; readonly node: string; readonly leaseSeconds: number };

/** `delayed`: an image with data becomes `pending_delete`, and its data is left to the scrubber. */
export type RemoveOptions = { readonly delayed: boolean };

export type RemovedData = {
  /** What the caller now removes from the store and then releases by `UploadRepository.abandon`. */
  readonly cleanup: UploadLease;
  /**
   * Undoes the removal where the store keeps the data: image and rows are as they were, but for locations whose data is gone already
   * (`lostUrls`), and the lease is given up, in one transaction. False, and nothing done, where the lease is no longer the caller's: somebody
   * else removes the data.
   */
  takeBack(lostUrls: readonly string[]): Promise<boolean>;
};

/** `cleanup` null: nothing to remove, or its writer does. */
export type RemovedImage = RemovedData | { readonly cleanup: null };

export type ProjectUsage = { readonly images: number; readonly uploading: number; readonly stagedBytes: number };

export interface ImageRepository {
  /** Stores a queued image with its properties and tags in one transaction. Throws images.duplicate where the id was ever used. */
  create(draft: ImageDraft): Promise<Image>;
  /** The image where the viewer may see it by id; undefined when missing, deleted or invisible. */
  find(id: string, viewer: Viewer): Promise<Image | undefined>;
  /** One page. Throws images.bad_query where the marker is unknown or invisible. Constant in statements and in cost, however deep. */
  list(query: ImageQuery): Promise<readonly Image[]>;
  /**
   * Applies the changes and sets updated_at; returns the image as it then is. Throws images.not_found, images.status_conflict (`whileStatus`, or
   * somebody holds a lease of the image whose location is removed); of locations images.invalid (added where it is already),
   * images.forbidden (none would be left), images.over_limit.
   */
  update(id: string, changes: ImageChanges): Promise<Image>;
  /** Conditional status change; false where the image no longer is in one of `from`. */
  changeStatus(id: string, from: readonly ImageStatus[], to: ImageStatus): Promise<boolean>;
  /**
   * Soft-deletes the image and its child rows in one transaction; undefined where it was gone already. Throws images.forbidden where it is
   * protected (asked in the same transaction).
   * Where it had live locations and nobody holds a lease of it, the same transaction writes a lease on all their URLs for `cleanup`, so that
   * the data of a deleted image goes even if this process dies now. A lease that stands (an upload under way, a location that is being removed)
   * is left to its holder, who learns of the deletion by renew or finish and removes the data, or to the reaper once it expires; URLs that it does
   * not name are added to it, and left to the reaper when its holder abandons it.
   */
  remove(id: string, cleanup: Cleanup, options?: RemoveOptions): Promise<RemovedImage | undefined>;
  /**
   * Takes one of several locations from an active image, and writes a lease on its URL for `cleanup` in the same transaction: what the caller
   * now removes from the store and releases by `UploadRepository.abandon`. Throws images.not_found (image, location), images.forbidden
   * (the last one), images.status_conflict (not active, or somebody holds a lease of the image).
   */
  removeLocation(id: string, url: string, cleanup: Cleanup): Promise<RemovedData>;
  /** Writes the metadata of live locations, found by their URL. Changes nothing else, updated_at of the image included. */
  noteLocations(id: string, locations: readonly ImageLocation[]): Promise<void>;
  /** Sum of size times live locations over the owner's images (size above 0; killed, deleted and pending_delete left out). */
  storageUsed(owner: string | null): Promise<number>;
  /**
   * Of the owner's images (those left out as above): how many there are, how many take data in at the moment, and the bytes of those that are
   * staged, or are copied by way of staging.
   */
  projectUsage(owner: string | null): Promise<ProjectUsage>;
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

/** What the API calls multihash: hex, and how it was made. */
export type ContentHash = { readonly algorithm: string; readonly value: string };

export type StoredData = {
  readonly url: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly sizeBytes: number;
  readonly checksum: string;
  /** null where the release has none. */
  readonly hash: ContentHash | null;
  readonly virtualSizeBytes: number | null;
};

export type UploadLease = {
  readonly imageId: string;
  /** Random; fences a writer whose lease was taken over. */
  readonly leaseId: string;
  readonly node: string;
  /** What to remove when the lease is given up: what `Store.locationFor` said, or the locations of a deleted image. Column url, a line each. */
  readonly urls: readonly string[];
};

export type StandingLease = { readonly lease: UploadLease; readonly expired: boolean };

/**
 * What became of a lease. `image_gone`: the lease still is ours (and was extended), but the image no longer is in `saving`: the holder removes
 * the data and abandons. `lease_lost`: somebody else took over; touch nothing, the data under these URLs may already be somebody else's.
 */
export type LeaseState = "held" | "image_gone" | "lease_lost";

/**
 * An image never stays in `saving` because a process died: the upload holds a lease in perennial_uploads, whose times are
 * those of the database's clock.
 *
 *   queued --begin--> saving + lease --finish--> active
 *                        |  `--renew (every third of the lease)
 *                        +--abandon / expired + reclaim--> queued, partial data removed
 *
 * The same lease guards what is left of deleted images (ImageRepository.remove). Only who holds the lease may remove data from a store:
 * a writer that lost it may find the file of a later, successful upload under the same URL.
 */
export interface UploadRepository {
  /** queued -> saving and the lease, in one transaction. False where the image is not queued. */
  begin(lease: UploadLease, leaseSeconds: number): Promise<boolean>;
  /** Extends the lease. Anything but `held` ends the upload. */
  renew(lease: UploadLease, leaseSeconds: number): Promise<LeaseState>;
  /** saving -> active, size, checksum, hash and location row, lease gone, in one transaction: `held` says that all this was done. */
  finish(lease: UploadLease, data: StoredData): Promise<LeaseState>;
  /** Gives the lease up: row gone, and an image still in saving becomes queued, size and hashes cleared. Changes nothing at all where the lease is lost. */
  abandon(lease: UploadLease): Promise<void>;
  /** The lease of an image as it stands, by whoever. */
  find(imageId: string): Promise<StandingLease | undefined>;
  /** Puts `next` in the place of the lease `held`, and fences its holder. False, and nothing done, where that lease does not stand any more. */
  replace(held: Pick<UploadLease, "imageId" | "leaseId">, next: UploadLease, leaseSeconds: number): Promise<boolean>;
  /**
   * Takes over leases that have expired: each is re-leased to `node` under a new leaseId, so that exactly one process cleans up.
   * The caller removes the data, then calls abandon. Leases of deleted images are reclaimed like any other.
   */
  reclaim(node: string, options: { leaseSeconds: number; rowsMax: number }): Promise<readonly UploadLease[]>;
}

export type CacheableImage = Pick<Image, "id" | "status" | "sizeBytes" | "checksum">;

/** Copies of image data on this node. Who may read an image is asked before: the cache knows data alone, and never fails a download. */
export interface ImageCache {
  /** The whole image, where a copy of exactly this data is there. Nothing is awaited between opening the stream and returning it. Throws the signal's reason. */
  open(image: CacheableImage, options: { readonly signal: AbortSignal }): Promise<Readable | undefined>;
  /** Takes the data of a download along, where nobody does so already and there can be room; always end or abort it. Never throws. */
  fill(image: CacheableImage): Promise<CacheFill | undefined>;
  /** The image is gone, and with it its copy. Never throws. */
  evict(imageId: string): Promise<void>;
}

/** Becomes a copy only where exactly the image's data was added. Nothing of it throws: what fails here fails for the cache alone. */
export interface CacheFill {
  /** Resolves when there is room for more. The chunk is the caller's again then. */
  add(chunk: Buffer): Promise<void>;
  /** All was added. */
  end(): void;
  /** Harmless after `end`. */
  abort(): void;
}
