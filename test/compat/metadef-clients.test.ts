// Every `glance md-*` command of the real client against a node of the newest release. (Debian's openstack client has none for metadata
// definitions yet.)
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { adminToken } from "../../demo/traffic/actor.ts";
import { Site } from "../node/node-process.ts";
import { prepareClients } from "./clients.ts";

const newest = "2026.1";

test("compat: each of the glance client's md-* commands does its work", { timeout: 900_000 }, async () => {
  const site = new Site();
  await site.createDatabase(newest);
  const node = await site.start("one", { paste_deploy: { flavor: "fakeauth" } });
  const clients = await prepareClients(`http://127.0.0.1:${node.port}`, site.folder, [], () => adminToken);
  const glance = (...args: readonly string[]) => clients.glance("operations", ...args);
  const imported = join(site.folder, "namespace.json");
  await writeFile(
    imported,
    JSON.stringify({ namespace: "Imported", tags: [{ name: "brought" }], visibility: "public" }),
  );
  const color = JSON.stringify({ type: "string", title: "Color", enum: ["red"] });
  try {
    await Promise.all([
      glance("md-namespace-create", "Cars", "--visibility", "public", "--description", "On wheels"),
      glance("md-namespace-import", "--file", imported),
    ]);
    // --append of this client fails in the client itself where there is no Keystone (a header that is no text).
    await Promise.all([
      glance("md-tag-create-multiple", "Cars", "--names", "a,b"),
      glance("md-tag-create-multiple", "Imported", "--names", "x:y", "--delim", ":"),
    ]);
    // Two at a time: each is a Python program of a second.
    const make = [
      ["md-object-create", "Cars", "--name", "engine", "--schema", `{"properties": {"color": ${color}}}`],
      ["md-property-create", "Cars", "--name", "paint", "--title", "Paint", "--schema", color],
      ["md-property-create", "Cars", "--name", "other", "--title", "Other", "--schema", color],
      ["md-tag-create", "Cars", "--name", "fast"],
      ["md-resource-type-associate", "Cars", "--name", "OS::Test::Road", "--prefix", "road_"],
    ];
    for (let at = 0; at < make.length; at += 2)
      await Promise.all(make.slice(at, at + 2).map((command) => glance(...command)));
    const shown: readonly (readonly [readonly string[], RegExp])[] = [
      [["md-namespace-list"], /Cars[\s\S]*Imported|Imported[\s\S]*Cars/],
      [["md-namespace-list", "--page-size", "1", "--resource-types", "OS::Test::Road"], /Cars/],
      [["md-namespace-show", "Cars"], /On wheels/],
      [["md-namespace-show", "Cars", "--resource-type", "OS::Test::Road"], /road_paint/],
      [["md-namespace-resource-type-list", "Cars"], /OS::Test::Road/],
      [["md-resource-type-list"], /OS::Test::Road/],
      [["md-object-list", "Cars"], /engine/],
      [["md-object-show", "Cars", "engine"], /color/],
      [["md-object-property-show", "Cars", "engine", "color"], /red/],
      [["md-property-list", "Cars"], /paint/],
      [["md-property-show", "Cars", "paint"], /paint[\s\S]*Color/],
      [["md-tag-list", "Cars"], /(?=[\s\S]*fast)(?=[\s\S]*\ba\b)(?=[\s\S]*\bb\b)/],
      [["md-tag-list", "Imported"], /(?=[\s\S]*\bx\b)(?![\s\S]*brought)/],
      [["md-tag-show", "Cars", "fast"], /fast/],
    ];
    for (let at = 0; at < shown.length; at += 2)
      await Promise.all(
        shown.slice(at, at + 2).map(async ([command, expected]) => assert.match(await glance(...command), expected)),
      );

    const change = [
      ["md-namespace-update", "Imported", "--description", "Changed"],
      ["md-object-update", "Cars", "engine", "--name", "motor", "--schema", "{}"],
      ["md-property-update", "Cars", "paint", "--name", "varnish", "--title", "Varnish", "--schema", color],
      ["md-tag-update", "Cars", "fast", "--name", "slow"],
    ];
    for (let at = 0; at < change.length; at += 2)
      await Promise.all(change.slice(at, at + 2).map((command) => glance(...command)));
    const remove = [
      ["md-object-delete", "Cars", "motor"],
      ["md-property-delete", "Cars", "varnish"],
      ["md-tag-delete", "Cars", "slow"],
      ["md-resource-type-deassociate", "Cars", "OS::Test::Road"],
      ["md-namespace-objects-delete", "Cars"],
      ["md-namespace-properties-delete", "Cars"],
      ["md-namespace-tags-delete", "Cars"],
      ["md-namespace-delete", "Imported"],
    ];
    for (let at = 0; at < remove.length; at += 2)
      await Promise.all(remove.slice(at, at + 2).map((command) => glance(...command)));
    const response = await fetch(`http://127.0.0.1:${node.port}/v2/metadefs/namespaces`, {
      headers: { "x-auth-token": adminToken },
    });
    const { namespaces } = (await response.json()) as { namespaces: Record<string, unknown>[] };
    assert.deepEqual(
      namespaces.map(({ namespace, description, ...rest }) => [
        namespace,
        description,
        ["objects", "properties", "tags", "resource_type_associations"].some((part) => part in rest),
      ]),
      [["Cars", "On wheels", false]],
    );
  } finally {
    clients.stop();
  }
});
