// What an operator's words about imports mean at each release.
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../core/config.ts";
import { type ReleaseId, releaseOf } from "../../releases/catalogue.ts";
import { withCode } from "../testing/fixture.ts";
import { importOptionGroups } from "./config.ts";
import { readImportSettings } from "./settings.ts";

const read = (release: ReleaseId, text: string) =>
  readImportSettings(
    loadConfig({ files: [{ file: "glance-api.conf", text }], groups: importOptionGroups }),
    releaseOf(release).capabilities,
    { selfUrl: null, multiStore: false },
  );

test("import settings: each plugin is there from its release on, and a slip in a name is refused", () => {
  const all =
    "[image_import_opts]\nimage_import_plugins = [inject_image_metadata,image_conversion,image_decompression]";
  for (const [release, plugins] of [
    ["pike", ""],
    ["queens", "inject_image_metadata"],
    ["rocky", "inject_image_metadata,image_conversion"],
    ["train", "inject_image_metadata,image_conversion"],
    ["ussuri", "inject_image_metadata,image_conversion,image_decompression"],
    ["2026.1", "inject_image_metadata,image_conversion,image_decompression"],
  ] as const)
    assert.equal(read(release, all).plugins.join(), plugins, release);
  assert.throws(
    () => read("2026.1", "[image_import_opts]\nimage_import_plugins = convert"),
    withCode("config.invalid"),
  );
});

test("import settings: images are converted to raw, or what the operator says, if it can be written", () => {
  assert.equal(read("2026.1", "").convertsTo, "raw");
  assert.equal(read("2026.1", "[image_conversion]\noutput_format = qcow2").convertsTo, "qcow2");
  assert.throws(() => read("2026.1", "[image_conversion]\noutput_format = vdi"), /output_format: "vdi"/);
});
