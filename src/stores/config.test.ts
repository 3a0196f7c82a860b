import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../core/config.ts";
import { isServiceError } from "../core/errors.ts";
import { enabledStoresOptions, readStoreChoice, storeOptions } from "./config.ts";
import { foreignStoreOptions, readForeignNodes } from "./proxy/config.ts";

const groups = [enabledStoresOptions, storeOptions, foreignStoreOptions];
const aliases: Readonly<Record<string, string>> = { file: "file", filesystem: "file", http: "http" };

function read(text: string, multiStoreKnown = true) {
  const config = loadConfig({ files: [{ file: "f", text }], groups });
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
  const old = read("[glance_store]\nstores = [cinder, filesystem, file, sheepdog]\ndefault_store = filesystem\n");
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

test("stores config: with nodes to ask, kinds that are not here are left out, but not as the default", () => {
  const text = (value: string, backend: string) =>
    `[DEFAULT]\nenabled_backends = ${value}\n[glance_store]\ndefault_backend = ${backend}\n[perennial]\nforeign_store_proxy = http://g:9292\n`;
  const { sections, multiStore } = read(text("vm:vmware,fast:file,volumes:cinder", "fast"));
  assert.deepEqual([multiStore, sections], [true, [{ id: "fast", type: "file", section: "fast" }]]);
  refused("[glance_store] default_backend", text("volumes:cinder,fast:file", "volumes"));
  refused("[DEFAULT] enabled_backends", text("fast:file,slow:filing", "fast"));
  refused("foreign_store_proxy", text("volumes:cinder,fast:file", "fast").replace("http://g:9292", ""));
});

test("stores config: nodes to ask are URLs, without a version, a user or a query", () => {
  const nodes = (value: string) => {
    const text = `[perennial]\nforeign_store_proxy = ${value}\n`;
    return readForeignNodes(loadConfig({ files: [{ file: "f", text }], groups }));
  };
  assert.deepEqual(nodes(""), []);
  assert.deepEqual(nodes("http://g1:9292/v2/, https://g.example/image"), ["http://g1:9292", "https://g.example/image"]);
  for (const wrong of ["g1:9292", "ftp://g1", "http://u:secret@g1", "http://g1/?a=b", "http://g1:none", "http://"])
    assert.throws(
      () => nodes(wrong),
      (error) =>
        isServiceError(error, "config.invalid") &&
        error.message.includes("foreign_store_proxy") &&
        !error.message.includes("secret"),
      wrong,
    );
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
    "a:cinder",
    "-a:file",
  ])
    refused("[DEFAULT] enabled_backends", several(value));
  refused("[glance_store] default_backend", several("a:file", "b"));
  refused("[glance_store] default_backend", "[DEFAULT]\nenabled_backends = a:file\n");
  refused("[glance_store] stores", "[glance_store]\nstores = http\n");
  refused("[glance_store] stores", "[glance_store]\nstores = file,flie\n");
  refused("[glance_store] default_store", "[glance_store]\ndefault_store = cinder\n");
});
