// Style as a test: who may import whom, no giant files, nothing left unfinished.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const mayImport: Record<string, readonly string[]> = {
  core: [],
  releases: ["core"],
  stores: ["core"],
  formats: ["core"],
  images: ["core", "releases", "stores", "formats"],
  metadefs: ["core", "releases"],
  cache: ["core", "releases", "stores", "images"],
  db: ["core", "releases", "images", "metadefs", "cache"],
  identity: ["core", "releases"],
  api: ["core", "releases", "images", "metadefs", "cache", "identity"],
  node: ["core", "releases", "db", "api"],
  rollout: ["core", "releases", "db"],
  console: ["core", "rollout", "db"],
  cli: [
    "core",
    "releases",
    "stores",
    "images",
    "metadefs",
    "cache",
    "db",
    "identity",
    "api",
    "node",
    "rollout",
    "console",
  ],
};
const valuesOfHttp = /^import (?!type\b)[^;]*? from "node:http";/m;
const rooms = Object.keys(mayImport).join("|");

for (const file of readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"))) {
  test(`tidy: ${file}`, () => {
    const room = file.split("/")[0] ?? "";
    const text = readFileSync(`src/${file}`, "utf8");
    assert(mayImport[room], `${room} is not a room of ARCHITECTURE.md`);
    for (const [, target = ""] of text.matchAll(new RegExp(`from "(?:\\.\\.?/)+(${rooms})/`, "g")))
      assert(target === room || mayImport[room].includes(target), `${room} must not import ${target}`);
    if (file !== "core/node-http.ts" && !/\.test\.ts$|\/testing\//.test(file))
      assert(!valuesOfHttp.test(text), "core/node-http.ts gives what node:http exports, at less cost");
    assert(!/\b(TODO|FIXME|XXX)\b/.test(text), "leftover marker of unfinished work");
    const lines = text.split("\n").length;
    assert(lines <= 400, `${lines} lines: look for a second noun`);
  });
}
