// Processes of a node are killed with -9: what the others do then.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { before, test } from "node:test";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { eventually } from "../servers/eventually.ts";
import { createImage, openUpload, rowOf, statusOf, uploadsPublished } from "./images.ts";
import { KeepAliveClients } from "./keep-alive-clients.ts";
import { type NodeProcess, Site } from "./node-process.ts";
import { commandOf, killWhole, workersOf } from "./worker-processes.ts";

const site = new Site();
before(() => site.createDatabase(newestRelease.id));

test("crash: a killed worker is replaced; connections made meanwhile wait and are served", async () => {
  const node = await site.start("worker");
  const [worker = 0] = workersOf(node);
  process.kill(worker, "SIGKILL");
  // The only worker is dead or dying: this connection lies in the socket that the supervisor holds.
  await eventually("the worker is gone", () => !workersOf(node).includes(worker));
  assert.equal((await node.health()).status, 200);
  const [replacement] = workersOf(node);
  assert.notEqual(replacement, worker);
  await metric(node, "perennial_workers_replaced_total 1");
  await end(node);
});

test("crash: an upload whose node was killed is given up by another node, and the image can be uploaded again", async () => {
  const doomed = await site.start("doomed");
  const survivor = await site.start("survivor");
  const image = await createImage(doomed);
  const upload = openUpload(doomed, image, 300_000);
  upload.write(100_000);
  await uploadsPublished(site, "doomed", 1);
  assert.equal(await statusOf(site, image), "saving");
  killWhole(doomed);
  await assert.rejects(upload.status);
  await eventually("the image is queued", async () => (await statusOf(site, image)) === "queued");
  assert(!readdirSync(`${site.folder}/images`).includes(image), "no partial data is left");
  const again = openUpload(survivor, image, 10);
  again.write(10);
  assert.equal(await again.status, 204);
  assert.equal(await statusOf(site, image), "active");
  await end(survivor);
});

test("crash: workers whose supervisor was killed end by themselves, and the node comes back at once on its port and name", async () => {
  const node = await site.start("orphans", { DEFAULT: { workers: 2 } });
  const workers = workersOf(node);
  assert.equal(workers.length, 2);
  node.signal("SIGKILL");
  await node.exited;
  const again = await site.start("orphans", {}, { port: node.port });
  assert.equal((await rowOf(site, "orphans"))?.pid, again.pid);
  await eventually("the old workers are gone", () => workers.every((pid) => commandOf(pid) === ""));
  assert.equal((await again.health()).status, 200);
  await end(again);
});

test("crash: no client of the pair fails while a supervisor is killed and comes back", async (t) => {
  const a = await site.start("pair-a", { DEFAULT: { workers: 2 } });
  const b = await site.start("pair-b");
  const clients = new KeepAliveClients({ ports: [a.port, b.port], path: "/v2/images", clients: 6 });
  await clients.served(100);
  a.signal("SIGKILL");
  await a.exited;
  await clients.served(100);
  const again = await site.start("pair-a", {}, { port: a.port });
  await clients.served(100);
  const { served, failures } = await clients.stop();
  t.diagnostic(`${served} requests`);
  assert.deepEqual(failures, []);
  await Promise.all([end(again), end(b)]);
});

async function end(node: NodeProcess): Promise<void> {
  node.signal("SIGTERM");
  assert.deepEqual(await node.exited, { code: 0, signal: null });
}

async function metric(node: NodeProcess, line: string): Promise<void> {
  const response = await fetch(`${node.url}/metrics`);
  assert.equal(response.status, 200);
  assert((await response.text()).split("\n").includes(line), line);
}
