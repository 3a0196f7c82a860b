import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadConfig } from "../../core/config.ts";
import { isServiceError } from "../../core/errors.ts";
import { optionGroup } from "../../core/options.ts";
import { swiftDriver, swiftStoreOptions } from "./config.ts";

const account = `swift_store_auth_address = http://swift.example:8080/auth/v1.0
swift_store_user = test:tester
swift_store_key = testing
swift_store_auth_version = 1
`;
const configure = (text: string) => {
  const groups = [optionGroup("cloud", swiftStoreOptions)];
  return swiftDriver.configure(loadConfig({ files: [{ file: "f", text: `[cloud]\n${text}` }], groups }), "cloud");
};
const refused = (option: string, text: string) =>
  assert.throws(
    () => configure(text),
    (error) => isServiceError(error, "config.invalid") && error.message.includes(`[cloud] ${option}`),
    option,
  );

test("swift config: an account by options has the name of the default reference, and older locations of it are owned", async () => {
  const plan = configure(account);
  assert.deepEqual(plan.places, ["swift+config://ref1/glance"]);
  const store = await plan.open();
  assert.equal(store.locationFor("id"), "swift+config://ref1/glance/id");
  for (const [url, owned] of [
    ["swift+config://ref1/glance/id", true],
    ["swift+config://ref1/other/id", false],
    ["swift+config://ref2/glance/id", false],
    ["swift+http://test:tester:key@swift.example:8080/auth/v1.0/glance/id", true],
    ["swift+https://test%3Atester:key@swift.example:8080/auth/v1.0/glance/id", true],
    ["swift+http://test:tester:key@elsewhere/auth/v1.0/glance/id", false],
    ["swift+http://swift.example:8080/auth/v1.0/glance/id", false],
    ["swift+http://%zz:key@swift.example:8080/auth/v1.0/glance/id", false],
    ["swift://", false],
  ] as const)
    assert.equal(store.owns(url), owned, url);
  assert.deepEqual(store.properties.shown, {
    container: "glance",
    large_object_size: 5_120,
    large_object_chunk_size: 200,
  });
  await store.close();
});

test("swift config: accounts of a file are all read from, and the default one is written to", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-swift-config-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "swift.conf");
  const section = (name: string, more = "") =>
    `[${name}]\nauth_address = https://keystone.example/v3\nuser = service:glance\nkey = pw\nauth_version = 3\n${more}`;
  await writeFile(file, section("old") + section("new", "project_domain_name = Cloud\n"));
  const text = `swift_store_config_file = ${file}\ndefault_swift_reference = new\n`;
  const store = await configure(text).open();
  assert.equal(store.locationFor("id"), "swift+config://new/glance/id");
  assert(store.owns("swift+config://old/glance/id"));
  await store.close();
  refused("default_swift_reference", text.replace("= new", "= none"));
  for (const [broken, option] of [
    [section("new").replace("auth_version = 3", "auth_version = 2"), "auth_version"],
    [section("new").replace("service:glance", "glance"), "user"],
    [section("new").replace("key = pw", ""), "key"],
    [section("new").replace("https://", ""), "auth_address"],
  ] as const) {
    await writeFile(file, broken);
    refused(`swift_store_config_file is "${file}": [new] ${option}`, text);
  }
});

test("swift config: images are spread over containers where a seed is set, and found in each", async () => {
  const store = await configure(`${account}swift_store_multiple_containers_seed = 3\n`).open();
  const url = store.locationFor("3A1f0b2c-4d5e-4f60-8a7b-9c0d1e2f3a4b");
  assert.match(url, /\/glance_3a1\/3A1f0b2c/);
  assert(store.owns(url) && store.owns(url.replace("glance_3a1", "glance")));
  await store.close();
});

test("swift config: what is missing or not supported is refused by name", () => {
  refused("swift_store_user", account.replace(/swift_store_user.*\n/, ""));
  refused("swift_store_auth_version", account.replace("version = 1", "version = 2"));
  const ofUsers = "swift_store_multi_tenant = true\n";
  refused("swift_store_multi_tenant", account + ofUsers);
  const keystone = account.replace("version = 1", "version = 3");
  refused("swift_store_multi_tenant", `${keystone}swift_store_endpoint = http://swift.example/v1/AUTH_a\n${ofUsers}`);
  refused("swift_store_multiple_containers_seed", `${account}swift_store_multiple_containers_seed = 33\n`);
  const long = `swift_store_container = ${"c".repeat(230)}\n`;
  refused("swift_store_container", `${account}${long}swift_store_multiple_containers_seed = 32\n`);
  refused("swift_store_container", `${account}swift_store_container = a/b\n`);
  refused("swift_store_endpoint", `${account}swift_store_endpoint = swift.example\n`);
});
