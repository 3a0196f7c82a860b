// HUP: a new configuration is taken up under load, and a wrong one changes nothing.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { before, test } from "node:test";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { eventually } from "../servers/eventually.ts";
import { freePort } from "../servers/free-port.ts";
import { createImage, openUpload, rowOf, uploadsPublished } from "./images.ts";
import { KeepAliveClients } from "./keep-alive-clients.ts";
import { type NodeProcess, type Sections, Site } from "./node-process.ts";

const site = new Site();
before(() => site.createDatabase(newestRelease.id));

async function reload(node: NodeProcess, name: string, changes: Sections, answer: RegExp): Promise<string> {
  site.writeConfig(name, { ...changes, DEFAULT: { bind_port: node.port, ...changes.DEFAULT } });
  const from = node.stderr.length;
  node.signal("SIGHUP");
  return await node.said(answer, { from });
}

test("reload: under load no request fails, and the new configuration is in effect", async (t) => {
  const node = await site.start("load");
  const clients = new KeepAliveClients({ ports: [node.port], path: "/v2/images", clients: 6 });
  await clients.served(100);
  for (const limit of [7, 8]) {
    await reload(node, "load", { DEFAULT: { limit_param_default: limit } }, /"msg":"reloaded"/);
    await clients.served(100);
  }
  const { served, failures, movedOn } = await clients.stop();
  t.diagnostic(`${served} requests`);
  assert.deepEqual([failures, movedOn], [[], 0]);
  await end(node);
});

test("reload: an upload under way goes on in a worker of before", async () => {
  const node = await site.start("upload");
  const image = await createImage(node);
  const upload = openUpload(node, image, 200_000);
  upload.write(100_000);
  await uploadsPublished(site, "upload", 1);
  await reload(node, "upload", {}, /"msg":"reloaded"/);
  assert.equal((await node.health()).status, 200);
  upload.write(100_000);
  assert.equal(await upload.status, 204);
  await end(node);
});

test("reload: a wrong configuration is logged in one line, and the node goes on as it was", async () => {
  const node = await site.start("wrong");
  const before = node.stderr.length;
  const line = await reload(node, "wrong", { perennial: { release: "nova" } }, /reload refused/);
  assert.match(line, /release/);
  await reload(node, "wrong", { perennial: { release: "newton" } }, /reload refused.*|contracted to 2024\.1/);
  writeFileSync(node.config, "nonsense");
  const from = node.stderr.length;
  node.signal("SIGHUP");
  await node.said(/reload refused/, { from });
  assert.equal(node.stderr.length - before, 3);
  assert.equal((await node.health()).status, 200);
  await end(node);
});

test("reload: another port is taken up, and the old one given up", async () => {
  const node = await site.start("moves");
  const port = await freePort();
  await reload(node, "moves", { DEFAULT: { bind_port: port } }, /"msg":"reloaded"/);
  const response = await fetch(`http://127.0.0.1:${port}/healthcheck`);
  assert.equal(response.status, 200);
  await assert.rejects(node.health());
  await end(node);
});

test("reload: the release changes with it, and the registry shows the newer one only when no older worker is left", async () => {
  const mixed = new Site();
  await mixed.createDatabase("newton");
  await mixed.manage("db", "expand", "--to", "ocata");
  await mixed.manage("db", "migrate", "--to", "ocata");
  const node = await mixed.start("upgrade", { perennial: { release: "newton" } });
  const image = await createImage(node);
  const upload = openUpload(node, image, 200_000);
  upload.write(100_000);
  await uploadsPublished(mixed, "upgrade", 1);
  mixed.writeConfig("upgrade", { DEFAULT: { bind_port: node.port }, perennial: { release: "ocata" } });
  node.signal("SIGHUP");
  await node.said(/"msg":"reloaded"/);
  const announced = async () => JSON.parse(await node.get("/versions")).versions[0].id;
  assert.deepEqual([(await rowOf(mixed, "upgrade"))?.release_id, await announced()], ["newton", "v2.4"]);
  upload.write(100_000);
  assert.equal(await upload.status, 204);
  await eventually("the newer release", async () => (await rowOf(mixed, "upgrade"))?.release_id === "ocata");
  assert.equal(await announced(), "v2.5");
  await end(node);
});

async function end(node: NodeProcess): Promise<void> {
  node.signal("SIGTERM");
  assert.deepEqual(await node.exited, { code: 0, signal: null });
}
