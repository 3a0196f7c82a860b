import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../core/config.ts";
import type { GroupValues, OptionGroup } from "../core/options.ts";
import { releaseOf } from "../releases/catalogue.ts";
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
  for (const release of ["newton", "ocata"] as const) {
    const { capabilities } = releaseOf(release);
    const settings = readImageSettings(configOf({}), capabilities);
    assert.deepEqual(settings, {
      membersMax: 128,
      propertiesMax: 128,
      tagsMax: 128,
      imageBytesMax: 2 ** 40,
      projectBytesMax: null,
      pageImagesDefault: 25,
      pageImagesMax: 1_000,
      showDirectUrl: false,
      showLocations: false,
      containerFormats: capabilities.containerFormats,
      diskFormats: capabilities.diskFormats,
    });
  }
  const own = readImageSettings(
    configOf({ disk_formats: ["raw"], user_storage_quota: "2TB" }),
    releaseOf("ocata").capabilities,
  );
  assert.deepEqual([own.diskFormats, own.projectBytesMax], [["raw"], 2 * 2 ** 40]);
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

test("settings: what would be silently ignored is refused instead", () => {
  const { capabilities } = releaseOf("ocata");
  for (const values of [
    { delayed_delete: true },
    { metadata_encryption_key: "secret" },
    { property_protection_file: "/etc/glance/protections.conf" },
    { owner_is_tenant: false },
  ])
    assert.throws(() => readImageSettings(configOf(values), capabilities), withCode("config.invalid"));
});
