// Configurations of nodes of Glance, compared.
import assert from "node:assert/strict";
import { test } from "node:test";
import { releaseIds } from "../../releases/catalogue.ts";
import { differencesFromFirst, releaseOfVersion, whatDiffers } from "./node-configs.ts";

const option = (name: string, text: string, origin = "/etc/glance/glance-api.conf:3") => {
  const [section = "", key = ""] = name.split("/");
  return { section, option: key, text, origin };
};

test("nodes that are configured alike but for what is each node's own have no differences", () => {
  const node = (name: string, port: string) => ({
    node: name,
    effective: [option("DEFAULT/bind_port", port), option("glance_store/default_store", "file")],
  });
  assert.deepEqual([...differencesFromFirst([node("n1", "1"), node("n2", "2")])], []);
  assert.deepEqual([...differencesFromFirst([])], []);
});

test("what a node has otherwise than the first one is told with both values, unset ones too", () => {
  const first = {
    node: "n1",
    effective: [option("glance_store/default_store", "file"), option("DEFAULT/image_size_cap", "")],
  };
  const other = {
    node: "n2",
    effective: [option("glance_store/default_store", "swift"), option("DEFAULT/image_size_cap", "5")],
  };
  assert.deepEqual(differencesFromFirst([first, other]).get("n2"), [
    "[DEFAULT] image_size_cap is 5, on n1 unset",
    "[glance_store] default_store is swift, on n1 file",
  ]);
});

test("what we do otherwise is told where a configuration makes it matter", () => {
  const cache = (origin: string) =>
    whatDiffers([option("DEFAULT/image_cache_dir", "/var/lib/glance/cache", origin)]).join("\n");
  assert.match(cache("/etc/glance/glance-api.conf:3"), /the cache prunes itself/);
  assert.doesNotMatch(cache("default"), /the cache prunes itself/);
});

test("a store that we do not have is told of with what becomes of its images, by whether somebody is named who has it", () => {
  const cinder = option("DEFAULT/enabled_backends", "fast:file,volumes:cinder", "f:1");
  const told = (...more: Parameters<typeof whatDiffers>[0]) => whatDiffers([cinder, ...more]).join("\n");
  assert.match(told(), /neither read nor deleted \(501\)/);
  assert.match(told(option("perennial/foreign_store_proxy", "http://g:9292", "f:2")), /are passed on to the nodes/);
  assert.doesNotMatch(whatDiffers([option("glance_store/stores", "file,http", "f:1")]).join("\n"), /cinder/);
});

test("Glance's versions count its releases", () => {
  assert.equal(releaseOfVersion("25.1.0", releaseIds), "zed");
  assert.equal(releaseOfVersion("13.0.0", releaseIds), "newton");
  assert.equal(releaseOfVersion("32.0.0", releaseIds), "2026.1");
  assert.equal(releaseOfVersion("12.0.0", releaseIds), undefined);
  assert.equal(releaseOfVersion("99.0.0", releaseIds), undefined);
});
