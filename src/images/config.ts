// Options of glance-api.conf that the domain reads: quotas, paging, what clients see of locations, the formats, and what it refuses.
import { optionGroup } from "../core/options.ts";
import { hashAlgorithms } from "./hash-algorithms.ts";

const quota = (help: string) => ({ type: "integer", default: 128, help: `${help} Negative: no limit.` }) as const;

export const imageDefaultOptions = optionGroup("DEFAULT", {
  image_member_quota: quota("Members one image may have."),
  image_property_quota: quota("Custom properties one image may have."),
  image_tag_quota: quota("Tags one image may have."),
  image_location_quota: {
    type: "integer",
    default: 10,
    help: "Locations one image may have. Negative: no limit.",
  },
  do_secure_hash: {
    type: "boolean",
    default: true,
    help: "Read and hash the data of a location that is given by POST /v2/images/{id}/locations: before the image becomes active where the client says what it must hash to, else afterwards.",
  },
  http_retries: {
    type: "integer",
    default: 3,
    min: 0,
    max: 100,
    help: "How often that data is read again where it breaks off.",
  },
  image_size_cap: {
    type: "integer",
    default: 1_099_511_627_776,
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    help: "Bytes one image may have.",
  },
  use_keystone_limits: {
    type: "boolean",
    default: false,
    help: "What a project may have in all is Keystone's to say (image_size_total and image_stage_total in MiB, image_count_total, image_count_uploading; [oslo_limit]), and user_storage_quota is not read. From Xena on.",
  },
  user_storage_quota: {
    type: "string",
    default: "0",
    help: "Storage of all images of one project: a number, directly followed by B, KB, MB, GB or TB (multiples of 1024) or by nothing for bytes. 0: no limit.",
  },
  hashing_algorithm: {
    type: "string",
    default: "sha512",
    choices: hashAlgorithms,
    help: "Hash of uploaded data beside MD5, computed at the same time (os_hash_algo, os_hash_value; from Rocky on). MD5 here means that there is no second one to compute.",
  },
  limit_param_default: {
    type: "integer",
    default: 25,
    min: 1,
    help: "Images on a page where the client names no limit.",
  },
  api_limit_max: {
    type: "integer",
    default: 1000,
    min: 1,
    help: "Most images on a page, whatever the client asks for.",
  },
  show_image_direct_url: {
    type: "boolean",
    default: false,
    help: "Show the URL of an image's first location as direct_url.",
  },
  show_multiple_locations: {
    type: "boolean",
    default: false,
    help: "Show an image's locations, and let clients change them.",
  },
  delayed_delete: {
    type: "boolean",
    default: false,
    help: "Keep the data of deleted images until glance-scrubber removes it, which also brings images back.",
  },
});

/** Of glance-scrubber. */
export const scrubberOptions = optionGroup("DEFAULT", {
  scrub_time: {
    type: "integer",
    default: 0,
    min: 0,
    help: "Seconds for which glance-scrubber leaves the data of deleted images (delayed_delete).",
  },
  scrub_pool_size: {
    type: "integer",
    default: 1,
    min: 1,
    max: 64,
    help: "Images whose data glance-scrubber removes at once.",
  },
  wakeup_time: {
    type: "integer",
    default: 300,
    min: 1,
    help: "Seconds between two rounds of glance-scrubber --daemon.",
  },
});

/**
 * Options of the reference that change what happens to images, and that this version does not have yet. Any value but the default is refused:
 * a node that ignored one of them would delete, store, own or show images otherwise than the operator asked for.
 */
export const unsupportedImageOptions = optionGroup("DEFAULT", {
  owner_is_tenant: {
    type: "boolean",
    default: true,
    help: "Not supported: false is refused. The project owns an image, never the user.",
  },
});

export const imageFormatOptions = optionGroup("image_format", {
  container_formats: {
    type: "list",
    default: [],
    help: "Container formats an image may have. Empty: those of the release.",
  },
  disk_formats: { type: "list", default: [], help: "Disk formats an image may have. Empty: those of the release." },
  require_image_format_match: {
    type: "boolean",
    default: true,
    help: "Refuse an upload (415) whose data is not what disk_format says, or is not safe to open, from 2025.1 on; false: take it and log a warning. Data in container format bare alone is looked at.",
  },
  vmdk_allowed_types: {
    type: "list",
    default: ["streamOptimized", "monolithicSparse"],
    help: "createType values of VMDK data that are taken. Kinds that keep their data in other files are refused whatever stands here.",
  },
  gpt_safety_checks_nonfatal: {
    type: "list",
    default: [],
    help: "Checks of partitioned disks that log a warning instead of refusing the data: mbr (the protective MBR before a GPT).",
  },
});
