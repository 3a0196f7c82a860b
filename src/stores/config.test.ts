import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../core/config.ts";
import { isServiceError } from "../core/errors.ts";
import { enabledStoresOptions, readStoreChoice, storeOptions } from "./config.ts";

const aliases: Readonly<Record<string, string>> = { file: "file", filesystem: "file", http: "http" };

function read(text: string, multiStoreKnown = true) {
  const config = loadConfig({ files: [{ file: "f", text }], groups: [enabledStoresOptions, storeOptions] });
  return readStoreChoice(config, { typeOf: (name) => aliases[name], multiStoreKnown });
}

const refused = (option: string, text: string) =>
  assert.throws(
    () => read(text),
    (error) => isServiceError(error, "config.invalid") && error.message.includes(option),
    text,
  );

test("stores config: without enabled_backends there are the kinds of [glance_store], those of others left out", () => {
  assert.deepEqual(read("").sections, [
    { id: "file", type: "file", section: "glance_store" },
    { id: "http", type: "http", section: "glance_store" },
  ]);
  const old = read("[glance_store]\nstores = [rbd, filesystem, file, sheepdog]\ndefault_store = filesystem\n");
  assert.deepEqual(old, {
    multiStore: false,
    defaultId: "file",
    sections: [{ id: "file", type: "file", section: "glance_store" }],
  });
});

test("stores config: several stores have names, sections of their own, and a default", () => {
  const text = "[DEFAULT]\nenabled_backends = fast:file, web : http\n[glance_store]\ndefault_backend = fast\n";
  assert.deepEqual(read(text), {
    multiStore: true,
    defaultId: "fast",
    sections: [
      { id: "fast", type: "file", section: "fast" },
      { id: "web", type: "http", section: "web" },
    ],
  });
  assert.equal(read(text, false).multiStore, false, "a release that has no such option ignores it");
});

test("stores config: what cannot work is refused and names its option", () => {
  const several = (value: string, backend = "a") =>
    `[DEFAULT]\nenabled_backends = ${value}\n[glance_store]\ndefault_backend = ${backend}\n`;
  for (const value of [
    "a",
    "a:",
    ":file",
    "a:file,a:http",
    "os_glance_x:file,a:file",
    "database:file",
    "a:rbd",
    "-a:file",
  ])
    refused("[DEFAULT] enabled_backends", several(value));
  refused("[glance_store] default_backend", several("a:file", "b"));
  refused("[glance_store] default_backend", "[DEFAULT]\nenabled_backends = a:file\n");
  refused("[glance_store] stores", "[glance_store]\nstores = http\n");
  refused("[glance_store] stores", "[glance_store]\nstores = file,flie\n");
  refused("[glance_store] default_store", "[glance_store]\ndefault_store = rbd\n");
});
