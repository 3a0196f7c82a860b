// A wrong policy, property protection or schema of properties is a wrong configuration: refused before the node starts or reloads.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { loadConfig } from "../core/config.ts";
import { isServiceError } from "../core/errors.ts";
import { checkConfig } from "./check-config.ts";
import { exitCodeOf } from "./exit-code-of.ts";
import { exitCodes } from "./exit-codes.ts";
import { configuration } from "./wire-options.ts";

function check(t: TestContext, settings: string, files: Readonly<Record<string, string>>): void {
  const folder = mkdtempSync(join(tmpdir(), "check-config-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const file = join(folder, "glance-api.conf");
  const database = `[database]\nconnection = sqlite:///${folder}/glance.sqlite\n`;
  writeFileSync(file, `${database}[glance_store]\nfilesystem_store_datadir = ${folder}\n${settings}`);
  checkConfig(loadConfig({ files: [file], ...configuration }));
}

const refused = (message: RegExp) => (error: unknown) =>
  isServiceError(error, "config.invalid") && exitCodeOf(error) === exitCodes.badConfig && message.test(error.message);

test("configuration: policies and protections that can be read are accepted, found beside the file", (t) => {
  check(t, "[DEFAULT]\nproperty_protection_file = p.conf\n[oslo_policy]\nenforce_new_defaults = False\n", {
    "policy.yaml": '"get_image": "role:reader"',
    "p.conf": "[.*]\ncreate = @\nread = @\nupdate = @\ndelete = @\n",
  });
  check(t, "[DEFAULT]\nproperty_protection_file = p.conf\nproperty_protection_rule_format = policies\n", {
    "policy.yaml": 'keeper: "role:keeper"',
    "p.conf": "[.*]\ncreate = keeper\nread = @\nupdate = keeper\ndelete = !\n",
  });
});

test("configuration: a broken policy, or protection, is refused with its file and line", (t) => {
  const broken = { "policy.yaml": '\n"get_image": "role:a b"' };
  assert.throws(() => check(t, "", broken), refused(/policy\.yaml, line 2: rule get_image: .*character 8/));
  const named = "[oslo_policy]\npolicy_file = mine.json\n";
  assert.throws(
    () => check(t, named, { "mine.json": '{"a": "rule:a"}' }),
    refused(/mine\.json, line 1: .*circle: a -> a/),
  );
  const protection = "[DEFAULT]\nproperty_protection_file = p.conf\n";
  assert.throws(() => check(t, protection, {}), refused(/property_protection_file p\.conf does not exist/));
  assert.throws(
    () => check(t, protection, { "p.conf": "[a]\ncreate = @\n" }),
    refused(/p\.conf, line 1: .*lacks read/),
  );
});

test("configuration: a schema-image.json that is no JSON Schema is refused with its name and the property's", (t) => {
  check(t, "", { "schema-image.json": '{"a": {"minLength": 1}}' });
  assert.throws(
    () => check(t, "", { "schema-image.json": '{"a": {"minLength": -1}}' }),
    refused(/schema-image\.json cannot be used: what it says of a is no JSON Schema: .*minLength/),
  );
});
