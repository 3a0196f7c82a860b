// The door of the domain: what routes call. Every method checks visibility, ownership and policy itself, applies the rules of
// the release through its capabilities, and throws ServiceErrors; HTTP knows nothing but how to read requests and write answers.
import type { Readable } from "node:stream";
import type { Caller, Policy, PropertyProtections } from "../core/caller.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Onward } from "../core/onward.ts";
import type { TransferTracker } from "../core/transfers.ts";
import type { Capabilities, VisibilityFilter } from "../releases/capabilities.ts";
import type { ForeignNodes } from "../stores/foreign-nodes.ts";
import type { StoreRegistry } from "../stores/registry.ts";
import type { ByteRange, Store } from "../stores/store.ts";
import type { RangeRequest } from "./byte-range.ts";
import type { Image, ImageMember, MemberStatus } from "./image.ts";
import { createImageDataService } from "./image-data-service.ts";
import { createImageService } from "./image-service.ts";
import type { ScratchFiles } from "./import/conversion.ts";
import type { ImportRepository } from "./import/import-repository.ts";
import { createImportService, type ImportService } from "./import/import-service.ts";
import type { Regions } from "./import/remote-image.ts";
import type { ImportSettings } from "./import/settings.ts";
import type { KeyManager } from "./key-manager.ts";
import { createLocationService, type LocationService } from "./location-service.ts";
import { createMemberService } from "./member-service.ts";
import { notifiedData, notifiedImages, notifiedRepositories } from "./notifications/notified.ts";
import type { Notify } from "./notifications/notifier.ts";
import type {
  ImageCache,
  ImageFilter,
  ImageRepository,
  MemberRepository,
  SortDirection,
  SortKey,
  UploadRepository,
} from "./ports.ts";
import type { LimitName, LimitUsage, ProjectLimits } from "./project-limits.ts";
import { createResumableUploads, type ResumableUploads } from "./resumable/resumable-uploads.ts";
import type { UploadParts } from "./resumable/upload-parts.ts";
import type { ImageSettings } from "./settings.ts";
import { sharedRepositories } from "./shared-data.ts";
import { createStoreService } from "./store-service.ts";
import type { TaskRepository } from "./tasks/task.ts";
import { createTaskService, type TaskService } from "./tasks/task-service.ts";
import { createUploadReaper } from "./upload-reaper.ts";

/** Attributes under their API names, as parsed from JSON: base attributes and custom properties side by side. */
export type ImageAttributes = Readonly<Record<string, unknown>>;

/** One operation of a PATCH, parsed: `path` holds the decoded tokens of its JSON pointer. */
export type PatchOperation = {
  readonly op: "add" | "replace" | "remove";
  readonly path: readonly string[];
  /** Ignored by remove. */
  readonly value?: unknown;
};

export type ImagePatch = {
  readonly operations: readonly PatchOperation[];
  /** The v2.0 media type: `add` of what exists is a conflict. */
  readonly addRefusesExisting: boolean;
};

export type ListImagesRequest = {
  readonly filters: readonly ImageFilter[];
  readonly visibility?: VisibilityFilter;
  /** Absent: those that are not hidden. */
  readonly hidden?: boolean;
  readonly memberStatus: MemberStatus | "all";
  /** As asked for, empty for the default; ties are broken by the service. */
  readonly sort: readonly { readonly key: SortKey; readonly direction: SortDirection }[];
  /** The one direction given for all keys; absent: that of a single sort term, else descending. */
  readonly tieDirection?: SortDirection;
  readonly marker?: string;
  /** null: the default. Larger than api_limit_max is cut. */
  readonly limit: number | null;
};

export type ImagePage = {
  readonly images: readonly Image[];
  /** What the query was answered with, after default and cap. */
  readonly limit: number;
  /** The marker of the page after this one; null where this was the last. */
  readonly nextMarker: string | null;
};

export interface ImageService {
  /** Throws images.invalid, images.forbidden (policy, owner, read-only and reserved names), images.duplicate, images.over_limit. */
  create(caller: Caller, attributes: ImageAttributes): Promise<Image>;
  /** What the caller's project has and may have; empty where limits are not Keystone's. Throws identity.unavailable. */
  usage(caller: Caller): Promise<Readonly<Partial<Record<LimitName, LimitUsage>>>>;
  /** Throws images.not_found. Where the image is deactivated, only an admin sees its locations. */
  show(caller: Caller, imageId: string): Promise<Image>;
  /** Throws images.forbidden, images.bad_query (marker). */
  list(caller: Caller, request: ListImagesRequest): Promise<ImagePage>;
  /**
   * Applies all operations or none. Throws images.not_found, images.forbidden, images.bad_patch (path), images.invalid (value),
   * images.property_conflict, images.over_limit.
   */
  update(caller: Caller, imageId: string, patch: ImagePatch): Promise<Image>;
  /** The row first, then the data: a process that dies between leaves a lease by which the reaper removes the data. */
  /**
   * Where another node has staged data of the image, it should be asked first: throws images.not_staged_here, whose fact `stageHost` is its URL,
   * unless `staged` is `left`. `token`: the caller's own, by which the key of an encrypted volume is removed where the image says so.
   * `onward`: the client's request, by which a node that has the image's store deletes it whole, `elsewhere`; throws as ForeignNodes.remove.
   */
  remove(
    caller: Caller,
    imageId: string,
    options?: { readonly staged?: "left"; readonly token?: string | undefined; readonly onward?: Onward },
  ): Promise<"here" | "elsewhere">;
  /** active -> deactivated; repeating is harmless. Throws images.forbidden in any other status. */
  deactivate(caller: Caller, imageId: string): Promise<void>;
  reactivate(caller: Caller, imageId: string): Promise<void>;
  addTag(caller: Caller, imageId: string, tag: string): Promise<void>;
  removeTag(caller: Caller, imageId: string, tag: string): Promise<void>;
}

export type UploadOptions = {
  /** Aborting gives the upload up: the image is queued again and nothing stays in the store. */
  readonly signal: AbortSignal;
  /** What the client announced (Content-Length); null where it did not. */
  readonly announcedBytes: number | null;
  /** The store the client names, where there are several; absent: the default one. */
  readonly storeId?: string;
  /** The caller's own, by which the certificate of a signed image is fetched. */
  readonly token?: string | undefined;
};

export type Download = {
  /** Of the whole image. */
  readonly sizeBytes: number;
  /** MD5 of the whole image, hex. */
  readonly checksum: string | null;
  /** What `stream` yields, where a part was asked for. */
  readonly range: ByteRange | null;
  /** Ends the transfer in the tracker when it is consumed or destroyed: always do one of the two. */
  readonly stream: Readable;
};

/** Data that flows, the signal it was opened with ends it. */
export type OpenedData = { readonly sizeBytes: number; readonly range: ByteRange | null; readonly data: Readable };

export interface ImageDataService {
  /**
   * Reads `source` to its end. When it resolves, the data is durable and the image active.
   * Throws images.not_found, images.forbidden, images.status_conflict, images.invalid (formats missing, announced size wrong, no such store),
   * images.unfit_data (another format than disk_format says, or unsafe), images.over_limit, images.gone, stores.full, stores.read_only, stores.unavailable, api.client_gone.
   */
  upload(caller: Caller, imageId: string, source: Readable, options: UploadOptions): Promise<void>;
  /**
   * `onward`: the client's request, by which data in a store of another node's is read there. Throws images.not_found, images.forbidden,
   * images.no_data (204), api.range_not_satisfiable, stores.foreign, stores.unavailable, stores.proxy_failed, identity.unauthenticated.
   */
  download(
    caller: Caller,
    imageId: string,
    options: { readonly signal: AbortSignal; readonly range?: RangeRequest; readonly onward?: Onward },
  ): Promise<Download>;
}

export interface MemberService {
  /** The owner and an admin see all, a member itself. Throws images.not_found, images.forbidden. */
  list(caller: Caller, imageId: string): Promise<readonly ImageMember[]>;
  add(caller: Caller, imageId: string, memberId: string): Promise<ImageMember>;
  show(caller: Caller, imageId: string, memberId: string): Promise<ImageMember>;
  /** Only the member itself, or an admin. Throws images.invalid where `status` is not one. */
  setStatus(caller: Caller, imageId: string, memberId: string, status: string): Promise<ImageMember>;
  remove(caller: Caller, imageId: string, memberId: string): Promise<void>;
}

/** A store as clients are told of it. */
export type StoreFacts = {
  readonly id: string;
  readonly description: string | null;
  readonly isDefault: boolean;
  /** It only gives data, and the release says so. */
  readonly readOnly: boolean;
};

export type StoreDetail = StoreFacts & {
  readonly type: string;
  /** null where the release has none. */
  readonly weight: number | null;
  /** Under the reference's names; null where the release shows none of this type. */
  readonly properties: Readonly<Record<string, string | number | boolean>> | null;
};

/** Throws images.not_found throughout where there are not several stores. */
export interface StoreService {
  /** In the order of the configuration; empty where there are not several. */
  readonly ids: readonly string[];
  list(): readonly StoreFacts[];
  /** Throws images.forbidden (policy). */
  detail(caller: Caller): readonly StoreDetail[];
  /**
   * Removes the image's data from one of its stores, the row first. Throws images.not_found (also: not in this store), images.forbidden
   * (policy, the last data of the image), images.status_conflict (not active, no such store here, its data is being worked on).
   */
  removeImage(caller: Caller, storeId: string, imageId: string): Promise<void>;
}

export interface UploadReaper {
  /**
   * Takes over leases that expired (uploads whose process died, data of deleted images) and cleans up behind them.
   * Safe in any number of processes at once. Returns how many leases were cleaned up; call it every few seconds.
   */
  reclaimExpiredUploads(): Promise<number>;
}

export type ImageServicesDeps = {
  readonly images: ImageRepository;
  readonly members: MemberRepository;
  readonly uploads: UploadRepository;
  readonly tasks: TaskRepository;
  readonly imports: ImportRepository;
  /** Where data waits to be imported; null where nothing is ever staged. */
  readonly staging: Store | null;
  /** Image services of other regions; absent: none is known. */
  readonly regions?: Regions;
  /** Absent: there is no key manager. */
  readonly keys?: KeyManager;
  /** Files beside it, for programs that need files; absent: the staged data is no file. */
  readonly scratch?: ScratchFiles;
  /** Where the data of uploads that can be continued waits until it is complete. */
  readonly parts: UploadParts;
  /** Images whose data, complete or not, lies in that folder; other files may be among them. */
  readonly stagedKeys: () => Promise<readonly string[]>;
  readonly importing: ImportSettings;
  /** Where new data goes, and which store a location is in. */
  readonly stores: StoreRegistry;
  /** Nodes that have stores which this one has not; absent: none is known. */
  readonly foreignNodes?: ForeignNodes;
  readonly policy: Policy;
  /** Absent: every property is its image's owner's. */
  readonly protections?: PropertyProtections;
  /** Absent: what a project may have in all is not Keystone's to say. */
  readonly limits?: ProjectLimits;
  readonly capabilities: Capabilities;
  readonly settings: ImageSettings;
  /** Name of this node, which its leases carry. */
  readonly node: string;
  readonly uploadLeaseSeconds: number;
  /** Absent: nobody listens. */
  readonly notify?: Notify;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly transfers: TransferTracker;
  /** Absent: nothing is cached. */
  readonly cache?: ImageCache;
  /** Downloads are read from the cache, and fill it. */
  readonly cachesDownloads?: boolean;
};

export type ImageServices = {
  readonly images: ImageService;
  readonly data: ImageDataService;
  readonly resumable: ResumableUploads;
  readonly members: MemberService;
  readonly tasks: TaskService;
  readonly stores: StoreService;
  readonly imports: ImportService;
  readonly locations: LocationService;
  readonly reaper: UploadReaper;
};

export function createImageServices(bare: ImageServicesDeps): ImageServices {
  const { notify } = bare;
  const given = { ...bare, ...sharedRepositories(bare) };
  const deps = notify ? { ...given, ...notifiedRepositories(given, notify) } : given;
  const images = createImageService(deps);
  const data = createImageDataService(deps);
  const imports = createImportService(deps);
  const locations = createLocationService(deps);
  return {
    images: notify ? notifiedImages(images, given.images, notify) : images,
    data: notify ? notifiedData(data, given.images, notify) : data,
    resumable: createResumableUploads(deps),
    members: createMemberService(deps),
    tasks: createTaskService(deps),
    stores: createStoreService(deps),
    imports: {
      ...imports,
      cut() {
        imports.cut();
        locations.cut();
      },
    },
    locations,
    reaper: createUploadReaper(deps),
  };
}
