// From the text of a configuration to the stores of a node: sections by name, defaults, and what cannot be.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { loadConfig } from "../core/config.ts";
import { isServiceError } from "../core/errors.ts";
import { StopStack } from "../core/lifecycle.ts";
import { type ReleaseId, releaseOf } from "../releases/catalogue.ts";
import { configuration } from "./wire-options.ts";
import { openStores, planStores } from "./wire-stores.ts";

const read = (text: string) => loadConfig({ files: [{ file: "glance-api.conf", text }], ...configuration });
const plan = (text: string, release: ReleaseId = "2026.1") => planStores(read(text), releaseOf(release).capabilities);
const several = (folder: string) => `[DEFAULT]
enabled_backends = fast:file, cheap:file, web:http, cloud:s3
[glance_store]
default_backend = cheap
filesystem_store_datadir = ${folder}/classic
[fast]
filesystem_store_datadir = ${folder}/fast
store_description = SSDs
weight = 10
[cheap]
filesystem_store_datadirs = ${folder}/a:1
filesystem_store_datadirs = ${folder}/b:2
[cloud]
s3_store_host = https://s3.example
s3_store_access_key = a
s3_store_secret_key = not-to-be-shown
s3_store_bucket = images
`;

test("stores of a configuration: each has the options of its own section, and nodes before Rocky have those of [glance_store]", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-wire-stores-"));
  const stack = new StopStack();
  t.after(async () => {
    await stack.stop();
    await rm(folder, { recursive: true });
  });
  const config = read(several(folder));
  assert.deepEqual(config.unknown, []);
  const { stores, defaultStore, multiStore } = await openStores(config, releaseOf("2026.1").capabilities, stack);
  assert.equal(multiStore, true);
  assert.deepEqual(
    stores.map(({ id, type, description, weight }) => [id, type, description, weight]),
    [
      ["fast", "file", "SSDs", 10],
      ["cheap", "file", null, 0],
      ["web", "http", null, 0],
      ["cloud", "s3", null, 0],
    ],
  );
  const { url } = await defaultStore.store.put("id", Readable.from([Buffer.from("x")]), {
    signal: new AbortController().signal,
  });
  assert.equal(url, `file://${folder}/b/id`);
  assert.equal(stores[3]?.store.locationFor("id"), "s3+https://s3.example/images/id");
  const queens = await openStores(config, releaseOf("queens").capabilities, stack);
  assert.deepEqual(
    [queens.multiStore, queens.defaultStore.store.locationFor("id")],
    [false, `file://${folder}/classic/id`],
  );
  assert.deepEqual((await readdir(folder)).sort(), ["a", "b", "classic", "fast"]);
});

test("stores of a configuration: a store without a directory has one of its name, and secrets of any section stay secret", () => {
  const config = read(several("/x"));
  const shown = config.effective.find(({ section, option }) => section === "cloud" && option === "s3_store_secret_key");
  assert.equal(shown?.text, "****");
  const { planned } = plan("[DEFAULT]\nenabled_backends = one:file\n[glance_store]\ndefault_backend = one\n");
  assert.deepEqual(
    planned.map((store) => store.plan.places),
    [["file:///var/lib/glance/one"]],
  );
  assert.deepEqual(
    plan("").planned.map((store) => store.section.type),
    ["file", "http"],
  );
});

test("stores of a configuration: two that write to one place, unknown kinds, and bad values are refused by section and option", () => {
  for (const [named, text] of [
    ["[DEFAULT] enabled_backends", several("/x").replace("/x/fast", "/x/a")],
    ["[DEFAULT] enabled_backends", several("/x").replace("cloud:s3", "cloud:cinder")],
    ["[cloud] s3_store_bucket", several("/x").replace(/s3_store_bucket.*/, "")],
    ["[fast] weight", several("/x").replace("weight = 10", "weight = much")],
  ] as const)
    assert.throws(
      () => plan(text),
      (error) => isServiceError(error, "config.invalid") && error.message.includes(named),
      named,
    );
});
