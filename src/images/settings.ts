// The operator's settings in the shape the domain uses: numbers with units, formats of the release filled in.
import assert from "node:assert/strict";
import type { Config } from "../core/config.ts";
import { ServiceError } from "../core/errors.ts";
import { gptChecks } from "../formats/judge.ts";
import type { Capabilities } from "../releases/capabilities.ts";
import { readEnabledStores } from "../stores/config.ts";
import { imageDefaultOptions, imageFormatOptions, unsupportedImageOptions } from "./config.ts";
import { type HashAlgorithm, hashAlgorithms } from "./hash-algorithms.ts";
import type { PropertySchemas } from "./property-schemas.ts";
import { resumableOptions } from "./resumable/config.ts";

/** Limits below zero mean no limit. */
export type ImageSettings = {
  readonly membersMax: number;
  readonly propertiesMax: number;
  readonly tagsMax: number;
  readonly locationsMax: number;
  /** Data of locations that are added by their own path is hashed, as often as this again where it breaks off. */
  readonly secureHash: boolean;
  readonly hashRetries: number;
  /** Deleted data is kept for glance-scrubber. */
  readonly delayedDelete: boolean;
  readonly imageBytesMax: number;
  /** Per project; null where there is none. */
  readonly projectBytesMax: number | null;
  /** What a project may have in all is Keystone's to say. */
  readonly unifiedLimits: boolean;
  readonly pageImagesDefault: number;
  readonly pageImagesMax: number;
  /** Stores have names that clients may give and are shown. */
  readonly multiStore: boolean;
  readonly showDirectUrl: boolean;
  readonly showLocations: boolean;
  readonly containerFormats: readonly string[];
  readonly diskFormats: readonly string[];
  /** Of the hash beside MD5; null where the release has none. */
  readonly hashAlgorithm: HashAlgorithm | null;
  /** Of uploaded data; `records` also where the operator lets everything pass. */
  readonly contentInspection: Capabilities["contentInspection"];
  /** createType values of VMDK that are taken. */
  readonly vmdkTypesAllowed: readonly string[];
  /** Uploads can be continued, for so long after their last sign of life; null: they cannot. */
  readonly resumableSeconds: number | null;
  /** What the operator says of custom properties; absent: what the reference ships. */
  readonly propertySchemas?: PropertySchemas;
  /** Checks of partitioned disks that do no more than warn. */
  readonly gptChecksNonfatal: readonly string[];
};

const bytesByUnit: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KB: 2 ** 10,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
};

/** Throws config.invalid where user_storage_quota is not a size, a check is not known, or an option is set that would need what is not supported yet. */
export function readImageSettings(config: Pick<Config, "read">, capabilities: Capabilities): ImageSettings {
  refuseUnsupported(config);
  const options = config.read(imageDefaultOptions);
  const formats = config.read(imageFormatOptions);
  const resumable = config.read(resumableOptions);
  const unifiedLimits = capabilities.unifiedLimits && options.use_keystone_limits;
  return {
    membersMax: options.image_member_quota,
    propertiesMax: options.image_property_quota,
    tagsMax: options.image_tag_quota,
    locationsMax: options.image_location_quota,
    delayedDelete: options.delayed_delete,
    secureHash: options.do_secure_hash,
    hashRetries: options.http_retries,
    imageBytesMax: options.image_size_cap,
    projectBytesMax: unifiedLimits ? null : parseStorageQuota(options.user_storage_quota),
    unifiedLimits,
    pageImagesDefault: options.limit_param_default,
    pageImagesMax: options.api_limit_max,
    multiStore: capabilities.locationStoreKey !== null && readEnabledStores(config).length > 0,
    showDirectUrl: options.show_image_direct_url,
    showLocations: options.show_multiple_locations,
    containerFormats: formats.container_formats.length > 0 ? formats.container_formats : capabilities.containerFormats,
    diskFormats: formats.disk_formats.length > 0 ? formats.disk_formats : capabilities.diskFormats,
    hashAlgorithm: capabilities.multihash ? hashAlgorithmOf(options.hashing_algorithm) : null,
    contentInspection: inspectionOf(capabilities, formats.require_image_format_match),
    vmdkTypesAllowed: formats.vmdk_allowed_types,
    resumableSeconds: resumable.resumable_uploads ? resumable.resumable_upload_seconds : null,
    gptChecksNonfatal: knownGptChecks(formats.gpt_safety_checks_nonfatal),
  };
}

function inspectionOf({ contentInspection }: Capabilities, matchRequired: boolean): Capabilities["contentInspection"] {
  return contentInspection === "refuses" && !matchRequired ? "records" : contentInspection;
}

/** A name with a slip in it would leave a check on that the operator means to be off. */
function knownGptChecks(names: readonly string[]): readonly string[] {
  const unknown = names.find((name) => !gptChecks.some((known) => known === name));
  if (unknown !== undefined)
    throw new ServiceError(
      "config.invalid",
      `[image_format] gpt_safety_checks_nonfatal names "${unknown}": give ${gptChecks.join(", ")}, or nothing.`,
      { facts: { section: "image_format", option: "gpt_safety_checks_nonfatal" } },
    );
  return names;
}

/** The option's choices are the algorithms. */
function hashAlgorithmOf(text: string): HashAlgorithm {
  return hashAlgorithms.find((known) => known === text) ?? assert.fail(`${text} is no hash we know`);
}

function refuseUnsupported(config: Pick<Config, "read">): void {
  const { options } = unsupportedImageOptions;
  for (const [option, value] of Object.entries(config.read(unsupportedImageOptions)))
    if (value !== options[option as keyof typeof options].default)
      throw new ServiceError(
        "config.invalid",
        `[DEFAULT] ${option} is set, and this version does not support it yet: a node that ignored it would not do what you asked for. Take it out.`,
        { facts: { section: "DEFAULT", option } },
      );
}

/** `0` is no quota (null); `10GB` is 10 * 2^30. Throws config.invalid. */
export function parseStorageQuota(text: string): number | null {
  const match = /^(\d+)(B|KB|MB|GB|TB)?$/.exec(text.trim());
  const bytes = match ? Number(match[1]) * (bytesByUnit[match[2] ?? ""] ?? Number.NaN) : Number.NaN;
  if (!Number.isSafeInteger(bytes))
    throw new ServiceError(
      "config.invalid",
      `[DEFAULT] user_storage_quota is "${text}": give a whole number, directly followed by B, KB, MB, GB or TB, for instance 100GB; 0 for none.`,
      { facts: { section: "DEFAULT", option: "user_storage_quota" } },
    );
  return bytes === 0 ? null : bytes;
}
