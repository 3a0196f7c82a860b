// What nodes of a release can do, as facts that other code asks for; they come from the reference implementation at that release's tag.

import {
  dalmatianPolicy,
  firstPolicy,
  ocataPolicy,
  type PolicyTraits,
  pikePolicy,
  ussuriPolicy,
  wallabyPolicy,
} from "./policy-traits.ts";

import { firstStores, type StoreTraits, trainStores, ussuriStores, zedStores } from "./store-traits.ts";

export type Visibility = "public" | "private" | "shared" | "community";

export type VisibilityFilter = Visibility | "all";

export type ImportPlugin = "no_op" | "inject_image_metadata" | "image_conversion" | "image_decompression";

export type ImportMethod = "glance-direct" | "web-download" | "copy-image" | "glance-download";

export type Capabilities = {
  /** How images.visibility is kept: before Ocata the boolean column is_public was all there was. */
  readonly visibilityStoredAs: "is_public" | "visibility";
  /** Values an image may be given. */
  readonly visibilities: readonly Visibility[];
  readonly visibilityDefault: Visibility;
  /** Values `GET /v2/images?visibility=` takes; `all` is whatever the caller may see, other projects' community images too. */
  readonly visibilityFilters: readonly VisibilityFilter[];
  /** Since Ocata members exist on shared images only; before, on every image that is not public. */
  readonly membersOnSharedOnly: boolean;
  /** Images may be hidden from lists (images.os_hidden). */
  readonly hiding: boolean;
  /** Uploads also record a second, configurable hash (images.os_hash_algo, os_hash_value). */
  readonly multihash: boolean;
  /** Images may be staged and imported, and are `uploading` and `importing` on the way. */
  readonly importing: boolean;
  /** Ways of importing there are, and which of them operators have without asking. */
  readonly importMethods: readonly ImportMethod[];
  readonly importMethodsDefault: readonly ImportMethod[];
  /** What may be done to data and image on the way ([image_import_opts] image_import_plugins). */
  readonly importPlugins: readonly ImportPlugin[];
  /** What [DEFAULT] enable_image_import is where the operator does not say; null: there is no such switch. */
  readonly importSwitch: boolean | null;
  /** An image shows that it is being imported, where to, and by which task (os_glance_*). */
  readonly importProgress: boolean;
  /** One import may go to several stores. */
  readonly importToSeveral: boolean;
  /** An image has its size as soon as its data is staged. */
  readonly stagedSize: boolean;
  /** An image notes which node has its staged data, and other nodes send there what concerns it. */
  readonly stageHosts: boolean;
  /** Names that a new image may not have as properties, beside those which every release refuses. */
  readonly refusedOnCreate: readonly string[];
  /** Properties that are the service's own: clients neither set nor remove them, and they count against no quota. null: there are none. */
  readonly reservedProperties: RegExp | null;
  /** Of these, the ones that no answer shows. */
  readonly unshownProperties: readonly string[];
  /** Who adds a location may say what its data must hash to. */
  readonly locationValidation: boolean;
  /** An image may carry the key of an encrypted volume, under properties that the schema knows. */
  readonly volumeKeys: boolean;
  /** The operator's schema of properties may say which ones every new image needs. */
  readonly requiredProperties: boolean;
  /** Tasks know their image, request and user (tasks.image_id, request_id, user_id). */
  readonly tasksOfImages: boolean;
  /** The key under which a location's metadata names its store, where there are several stores; null: there never are. */
  readonly locationStoreKey: "backend" | "store" | null;
  /** What can be done with several stores, beside storing in the one a client names. */
  readonly stores: StoreTraits;
  /** What an image cache holds may be kept in the database (cached_images, node_reference). */
  readonly cacheInDatabase: boolean;
  /** A node fetches by itself what was queued for its image cache. */
  readonly prefetchingNode: boolean;
  /** The cache is managed under /v2/cache, and what is asked for there is fetched at once. */
  readonly cacheApi: boolean;
  /** What a project may have in all may be Keystone's to say (use_keystone_limits). */
  readonly unifiedLimits: boolean;
  /** Clients may ask what their project has and may have (info/usage). */
  readonly usageInfo: boolean;
  /** secure_proxy_ssl_header is an option. */
  readonly schemeHeader: boolean;
  /**
   * What becomes of data's content while it is uploaded: nothing; its disk's size is recorded (images.virtual_size); or, beyond that, data of
   * another format than claimed, and data that is unsafe to open, is refused.
   */
  readonly contentInspection: "none" | "records" | "refuses";
  /** Locations have a path of their own, /v2/images/{id}/locations. */
  readonly locationsApi: boolean;
  /** Whoever sends data may say in a header of its own how much it is (X-OpenStack-Image-Size). */
  readonly imageSizeHeader: boolean;
  /** A deletion that was delayed can be taken back. */
  readonly restoring: boolean;
  /** A request that sets all tags of a metadata namespace may add to those that are there (X-Openstack-Append). */
  readonly metadefTagsAppended: boolean;
  /** Defaults of [image_format] disk_formats and container_formats. */
  readonly diskFormats: readonly string[];
  readonly containerFormats: readonly string[];
  readonly policy: PolicyTraits;
};

const containerFormats = ["ami", "ari", "aki", "bare", "ovf", "ova", "docker"] as const;
const diskFormats = ["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso"] as const;

/** Newton's; each later release says what it changed (catalogue.ts). */
export const firstCapabilities: Capabilities = {
  visibilityStoredAs: "is_public",
  visibilities: ["public", "private"],
  visibilityDefault: "private",
  visibilityFilters: ["public", "private", "shared"],
  membersOnSharedOnly: false,
  hiding: false,
  multihash: false,
  importing: false,
  importMethods: [],
  importMethodsDefault: [],
  importPlugins: [],
  importSwitch: null,
  importProgress: false,
  importToSeveral: false,
  stagedSize: false,
  stageHosts: false,
  refusedOnCreate: [],
  // A name of Wallaby, which no node of a mixed fleet may let a client set: newer ones send the importing client's token to that host.
  reservedProperties: /^os_glance_stage_host$/,
  unshownProperties: [],
  locationValidation: false,
  volumeKeys: false,
  requiredProperties: false,
  tasksOfImages: false,
  locationStoreKey: null,
  stores: firstStores,
  cacheInDatabase: false,
  prefetchingNode: false,
  cacheApi: false,
  unifiedLimits: false,
  usageInfo: false,
  schemeHeader: true,
  contentInspection: "none",
  imageSizeHeader: false,
  restoring: false,
  locationsApi: false,
  metadefTagsAppended: false,
  diskFormats,
  containerFormats,
  policy: firstPolicy,
};

export const ocataCapabilities: Partial<Capabilities> = {
  visibilityStoredAs: "visibility",
  visibilities: ["public", "private", "shared", "community"],
  visibilityDefault: "shared",
  visibilityFilters: ["public", "private", "shared", "community"],
  membersOnSharedOnly: true,
  diskFormats: [...diskFormats, "ploop"],
  policy: ocataPolicy,
};

/** On trial. */
export const pikeCapabilities: Partial<Capabilities> = {
  importing: true,
  importMethods: ["glance-direct"],
  importMethodsDefault: ["glance-direct"],
  importSwitch: false,
  policy: pikePolicy,
};

const queensMethods = ["glance-direct", "web-download"] as const;

export const queensCapabilities: Partial<Capabilities> = {
  importMethods: queensMethods,
  importMethodsDefault: queensMethods,
  importPlugins: ["no_op", "inject_image_metadata"],
  importSwitch: true,
};

export const rockyCapabilities: Partial<Capabilities> = {
  importPlugins: ["no_op", "inject_image_metadata", "image_conversion"],
  restoring: true,
  importSwitch: null,
  hiding: true,
  multihash: true,
  locationStoreKey: "backend",
};

export const steinCapabilities: Partial<Capabilities> = {
  visibilityFilters: ["public", "private", "shared", "community", "all"],
  locationValidation: true,
};

export const trainCapabilities: Partial<Capabilities> = {
  volumeKeys: true,
  locationStoreKey: "store",
  stores: trainStores,
  containerFormats: [...containerFormats, "compressed"],
};

export const ussuriCapabilities: Partial<Capabilities> = {
  refusedOnCreate: ["stores"],
  reservedProperties: /^os_glance_(import_task|stage_host)$/,
  stores: ussuriStores,
  prefetchingNode: true,
  importMethods: [...queensMethods, "copy-image"],
  importMethodsDefault: [...queensMethods, "copy-image"],
  importPlugins: ["no_op", "inject_image_metadata", "image_conversion", "image_decompression"],
  importProgress: true,
  importToSeveral: true,
  policy: ussuriPolicy,
};

export const wallabyCapabilities: Partial<Capabilities> = {
  refusedOnCreate: ["stores", "location"],
  reservedProperties: /^os_glance/,
  unshownProperties: ["os_glance_stage_host"],
  tasksOfImages: true,
  stageHosts: true,
  policy: wallabyPolicy,
};

export const zedCapabilities: Partial<Capabilities> = {
  importMethods: [...queensMethods, "copy-image", "glance-download"],
  stores: zedStores,
};

/** Data may be hashed after the upload, by a node that notes its name. */
export const laterHashCapabilities: Partial<Capabilities> = {
  locationsApi: true,
  unshownProperties: ["os_glance_stage_host", "os_glance_hash_op_host"],
  policy: dalmatianPolicy,
};
