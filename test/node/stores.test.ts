// A node with several stores beside one without, as a fleet is while enabled_backends comes in: each reads what the other wrote, and cleans up
// behind the other.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { eventually } from "../servers/eventually.ts";
import { createImage, openUpload } from "./images.ts";
import { type NodeProcess, Site } from "./node-process.ts";
import { killWhole } from "./worker-processes.ts";

const site = new Site();
before(() => site.createDatabase(newestRelease.id));
const [images, cheap] = [join(site.folder, "images"), join(site.folder, "cheap")];

const startSeveral = (name: string) =>
  site.start(name, {
    DEFAULT: { enabled_backends: "fast:file,cheap:file,web:http" },
    glance_store: { default_backend: "fast" },
    fast: { filesystem_store_datadir: images },
    cheap: { filesystem_store_datadir: cheap, store_description: "disks" },
  });

const startClassic = (name: string) =>
  site.start(name, {
    glance_store: { filesystem_store_datadirs: `${images}:2\nfilesystem_store_datadirs = ${cheap}:1` },
  });

async function upload(node: NodeProcess, store?: string): Promise<string> {
  const id = await createImage(node);
  const headers = {
    "content-type": "application/octet-stream",
    ...(store === undefined ? {} : { "x-image-meta-store": store }),
  };
  const { status } = await fetch(`${node.url}/v2/images/${id}/file`, { method: "PUT", headers, body: `data of ${id}` });
  assert.equal(status, 204);
  return id;
}

const dataOf = async (node: NodeProcess, id: string) => (await fetch(`${node.url}/v2/images/${id}/file`)).text();
const shown = async (node: NodeProcess, id: string) =>
  (await (await fetch(`${node.url}/v2/images/${id}`)).json()) as { stores?: string; status: string };

test("stores: nodes with several stores and without share a fleet, each reading and removing what the other wrote", async () => {
  mkdirSync(cheap);
  const [several, classic] = await Promise.all([startSeveral("several"), startClassic("classic")]);
  const listed = await fetch(`${several.url}/v2/info/stores`);
  assert.deepEqual(await listed.json(), {
    stores: [
      { id: "fast", default: "true" },
      { id: "cheap", description: "disks" },
      { id: "web", "read-only": "true" },
    ],
  });
  assert.equal((await fetch(`${classic.url}/v2/info/stores`)).status, 404);

  const [chosen, older] = [await upload(several, "cheap"), await upload(classic)];
  assert.deepEqual([readdirSync(cheap).includes(chosen), readdirSync(images).includes(older)], [true, true]);
  for (const node of [several, classic])
    for (const id of [chosen, older]) assert.equal(await dataOf(node, id), `data of ${id}`);
  assert.deepEqual(
    [(await shown(several, chosen)).stores, (await shown(classic, chosen)).stores],
    ["cheap", undefined],
  );
  assert.equal((await shown(several, older)).stores, "fast", "adopted by its URL");

  for (const [node, id] of [
    [classic, chosen],
    [several, older],
  ] as const)
    assert.equal((await fetch(`${node.url}/v2/images/${id}`, { method: "DELETE" })).status, 204);
  const left = [...readdirSync(cheap), ...readdirSync(images)].filter((name) => !name.startsWith("."));
  assert.deepEqual(left, []);

  const id = await createImage(several);
  const { write, status } = openUpload(several, id, 3_000_000);
  status.catch(() => undefined);
  write(2_000_000);
  const partial = () => readdirSync(join(images, ".perennial-partial")).length;
  await eventually("data arrives", () => partial() === 1);
  killWhole(several);
  await eventually(
    "the other node queues the image again",
    async () => (await shown(classic, id)).status === "queued",
    {
      msMax: 120_000,
    },
  );
  await eventually("the partial data is gone", () => partial() === 0);
});
