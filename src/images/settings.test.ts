import assert from "node:assert/strict";
import { test } from "node:test";
import { type Config, loadConfig } from "../core/config.ts";
import { isServiceError } from "../core/errors.ts";
import type { GroupValues, OptionGroup } from "../core/options.ts";
import { newestRelease, type ReleaseId, releaseOf } from "../releases/catalogue.ts";
import { enabledStoresOptions } from "../stores/config.ts";
import { imageDefaultOptions, imageFormatOptions, unsupportedImageOptions } from "./config.ts";
import { resumableOptions } from "./resumable/config.ts";
import { parseStorageQuota, readImageSettings } from "./settings.ts";
import { withCode } from "./testing/fixture.ts";

const configOf = (values: Readonly<Record<string, unknown>>): Pick<Config, "read"> => ({
  read<G extends OptionGroup>(group: G) {
    const defaults = Object.entries(group.options).map(([name, { default: value }]) => [name, value]);
    const known = Object.entries(values).filter(([name]) => name in group.options);
    return Object.fromEntries([...defaults, ...known]) as GroupValues<G>;
  },
});

test("settings: the defaults are the reference's, the formats those of the release", () => {
  for (const release of ["newton", "ocata", "rocky", "2026.1"] as const) {
    const { capabilities } = releaseOf(release);
    const settings = readImageSettings(configOf({}), capabilities);
    assert.deepEqual(settings, {
      membersMax: 128,
      propertiesMax: 128,
      tagsMax: 128,
      locationsMax: 10,
      delayedDelete: false,
      secureHash: true,
      hashRetries: 3,
      imageBytesMax: 2 ** 40,
      projectBytesMax: null,
      unifiedLimits: false,
      pageImagesDefault: 25,
      pageImagesMax: 1_000,
      multiStore: false,
      showDirectUrl: false,
      showLocations: false,
      containerFormats: capabilities.containerFormats,
      diskFormats: capabilities.diskFormats,
      hashAlgorithm: capabilities.multihash ? "sha512" : null,
      contentInspection: capabilities.contentInspection,
      vmdkTypesAllowed: ["streamOptimized", "monolithicSparse"],
      gptChecksNonfatal: [],
      resumableSeconds: null,
    });
  }
  const own = readImageSettings(
    configOf({ disk_formats: ["raw"], user_storage_quota: "2TB" }),
    releaseOf("ocata").capabilities,
  );
  const resumable = { resumable_uploads: true, resumable_upload_seconds: 90 };
  assert.equal(readImageSettings(configOf(resumable), releaseOf("newton").capabilities).resumableSeconds, 90);
  assert.deepEqual([own.diskFormats, own.projectBytesMax], [["raw"], 2 * 2 ** 40]);
});

test("settings: another hash is chosen by its name; one that is none is refused with file, section and option", () => {
  const read = (text: string) => {
    const source = { file: "/etc/glance/glance-api.conf", text: `[DEFAULT]\nhashing_algorithm = ${text}\n` };
    const config = loadConfig({
      files: [source],
      groups: [
        imageDefaultOptions,
        imageFormatOptions,
        unsupportedImageOptions,
        enabledStoresOptions,
        resumableOptions,
      ],
    });
    return readImageSettings(config, newestRelease.capabilities).hashAlgorithm;
  };
  assert.deepEqual(["sha256", "md5", "sha3_512"].map(read), ["sha256", "md5", "sha3_512"]);
  for (const text of ["", "sha9", "shake_128"])
    assert.throws(
      () => read(text),
      (error) =>
        isServiceError(error, "config.invalid") &&
        /glance-api\.conf, line 2: \[DEFAULT\] hashing_algorithm: .*sha512/.test(error.message),
      text,
    );
});

test("settings: a match of formats is asked for where the release does and the operator did not say otherwise; unknown checks are refused", () => {
  const read = (release: ReleaseId, values: Readonly<Record<string, unknown>> = {}) =>
    readImageSettings(configOf(values), releaseOf(release).capabilities);
  const off = { require_image_format_match: false };
  for (const [release, on, lenient] of [
    ["ussuri", "none", "none"],
    ["victoria", "records", "records"],
    ["2024.2", "records", "records"],
    ["2025.1", "refuses", "records"],
    ["2026.1", "refuses", "records"],
  ] as const)
    assert.deepEqual([read(release).contentInspection, read(release, off).contentInspection], [on, lenient], release);
  const own = read("2026.1", { vmdk_allowed_types: [], gpt_safety_checks_nonfatal: ["mbr"] });
  assert.deepEqual([own.vmdkTypesAllowed, own.gptChecksNonfatal], [[], ["mbr"]]);
  assert.throws(() => read("2026.1", { gpt_safety_checks_nonfatal: ["mbr", "mrb"] }), withCode("config.invalid"));
});

test("settings: a storage quota is a number with a unit, and nothing else", () => {
  assert.deepEqual(["0", "1", "5B", "2KB", "3MB", "4GB", "0TB"].map(parseStorageQuota), [
    null,
    1,
    5,
    2_048,
    3 * 2 ** 20,
    2 ** 32,
    null,
  ]);
  for (const text of ["", "1 GB", "1gb", "1.5GB", "-1", "GB", "1PB", "9999999999999TB"])
    assert.throws(() => parseStorageQuota(text), withCode("config.invalid"), text);
});

test("settings: several stores are several where the release knows them, and mean nothing where it does not", () => {
  const read = (release: ReleaseId, enabled: readonly string[]) =>
    readImageSettings(configOf({ enabled_backends: enabled }), releaseOf(release).capabilities).multiStore;
  for (const release of ["rocky", "2026.1"] as const) {
    assert.equal(read(release, ["fast:file", "slow:file"]), true);
    assert.equal(read(release, []), false);
    assert.throws(() => read(release, ["fast"]), withCode("config.invalid"));
  }
  for (const release of ["newton", "queens"] as const) assert.equal(read(release, ["fast:file", "slow:file"]), false);
});

test("settings: what would be silently ignored is refused instead", () => {
  const { capabilities } = releaseOf("ocata");
  for (const values of [{ owner_is_tenant: false }])
    assert.throws(() => readImageSettings(configOf(values), capabilities), withCode("config.invalid"));
});
