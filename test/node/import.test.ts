// Staging and import on real nodes: shared between them, across a kill, and in a drain.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { before, test } from "node:test";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { eventually } from "../servers/eventually.ts";
import { freePort } from "../servers/free-port.ts";
import { createImage, statusOf, uploadsPublished } from "./images.ts";
import { type NodeProcess, type Sections, Site } from "./node-process.ts";
import { killWhole } from "./worker-processes.ts";

const site = new Site();
before(() => site.createDatabase(newestRelease.id));

const staging = `${site.folder}/staging`;
const shared: Sections = {
  DEFAULT: { node_staging_uri: `file://${staging}` },
  import_filtering_opts: { allowed_hosts: "127.0.0.1", allowed_ports: "" },
};

async function stage(node: NodeProcess, image: string, body: Buffer): Promise<void> {
  const headers = { "content-type": "application/octet-stream" };
  const response = await fetch(`${node.url}/v2/images/${image}/stage`, { method: "PUT", headers, body });
  assert.equal(response.status, 204, await response.text());
}

async function importImage(node: NodeProcess, image: string, method: object): Promise<void> {
  const body = JSON.stringify({ method });
  const response = await fetch(`${node.url}/v2/images/${image}/import`, { method: "POST", body });
  assert.equal(response.status, 202, await response.text());
}

async function becomes(image: string, status: string): Promise<void> {
  await eventually(`the image is ${status}`, async () => (await statusOf(site, image)) === status);
}

async function checksumOf(node: NodeProcess, image: string): Promise<string> {
  const file = await fetch(`${node.url}/v2/images/${image}/file`);
  return createHash("md5")
    .update(Buffer.from(await file.arrayBuffer()))
    .digest("hex");
}

type Task = { readonly status: string; readonly message: string };
async function taskOf(node: NodeProcess, image: string): Promise<Task | undefined> {
  const { tasks } = JSON.parse(await node.get(`/v2/images/${image}/tasks`)) as { tasks: Task[] };
  return tasks[0];
}

/** Answers with as much as the test says, when it says so. */
async function slowServer(bytes: Buffer) {
  let answer: ServerResponse | undefined;
  const server = createServer((_request, response) => {
    answer = response;
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 100_000));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/image`,
    asked: () => eventually("the data is being fetched", () => answer !== undefined),
    finish: () => answer?.end(bytes.subarray(100_000)),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test("import: what is staged on one node and outlives it is imported by another", async () => {
  const a = await site.start("stage-a", shared);
  const b = await site.start("stage-b", shared);
  const bytes = randomBytes(3_000_000);
  const image = await createImage(a);
  await stage(a, image, bytes);
  assert.equal(await statusOf(site, image), "uploading");
  await end(a);
  await importImage(b, image, { name: "glance-direct" });
  await becomes(image, "active");
  assert.equal(await checksumOf(b, image), createHash("md5").update(bytes).digest("hex"));
  await eventually("nothing is left in staging", () => !existsSync(`${staging}/${image}`));
  assert.equal((await taskOf(b, image))?.status, "success");
  await end(b);
});

test("import: where staging is not shared, the node that has the data is asked; where nobody knows it, the client is told", async () => {
  const own = async (name: string, known: boolean) => {
    const port = await freePort();
    const folder = `${site.folder}/staging-${name}`;
    const self = known ? { worker_self_reference_url: `http://127.0.0.1:${port}` } : {};
    return site.start(name, { ...shared, DEFAULT: { node_staging_uri: `file://${folder}`, ...self } }, { port });
  };
  const [known, unknown] = [await own("own-known", true), await own("own-unknown", false)];
  const bytes = randomBytes(100_000);
  const image = await createImage(known);
  await stage(known, image, bytes);
  await importImage(unknown, image, { name: "glance-direct" });
  await becomes(image, "active");
  assert.equal(await checksumOf(unknown, image), createHash("md5").update(bytes).digest("hex"));
  const doomed = await createImage(known);
  await stage(known, doomed, bytes);
  assert.equal((await fetch(`${unknown.url}/v2/images/${doomed}`, { method: "DELETE" })).status, 204);
  assert(!existsSync(`${site.folder}/staging-own-known/${doomed}`), "the node that has the data removes it");
  const [lost, left] = [await createImage(unknown), await createImage(known)];
  await stage(unknown, lost, bytes);
  await stage(known, left, bytes);
  const body = JSON.stringify({ method: { name: "glance-direct" } });
  const refused = await fetch(`${known.url}/v2/images/${lost}/import`, { method: "POST", body });
  assert.deepEqual([refused.status, await statusOf(site, lost)], [409, "uploading"]);
  await end(known);
  const unreachable = await fetch(`${unknown.url}/v2/images/${left}/import`, { method: "POST", body });
  assert.deepEqual([unreachable.status, await statusOf(site, left)], [502, "uploading"]);
  assert.equal((await fetch(`${unknown.url}/v2/images/${left}`, { method: "DELETE" })).status, 204);
  const again = await own("own-known", true);
  await eventually("what was left in its folder goes when the node starts", () => {
    return !existsSync(`${site.folder}/staging-own-known/${left}`);
  });
  await Promise.all([end(again), end(unknown)]);
});

test("import: nodes whose URLs were mixed up hand a request about staged data on once, and no further", async () => {
  const names = ["mixed-up-a", "mixed-up-b"] as const;
  const ports = [await freePort(), await freePort()] as const;
  const start = (index: 0 | 1) => {
    const ofOther = `http://127.0.0.1:${ports[index === 0 ? 1 : 0]}`;
    const own = {
      node_staging_uri: `file://${site.folder}/staging-${names[index]}`,
      worker_self_reference_url: ofOther,
    };
    return site.start(names[index], { ...shared, DEFAULT: own }, { port: ports[index] });
  };
  const [a, b] = [await start(0), await start(1)];
  const image = await createImage(a);
  await stage(a, image, randomBytes(100_000));
  const body = JSON.stringify({ method: { name: "glance-direct" } });
  // B takes A's data for that of whoever has the URL it was told, which is its own.
  const refused = await fetch(`${b.url}/v2/images/${image}/import`, {
    method: "POST",
    body,
    signal: AbortSignal.timeout(20_000),
  });
  assert.deepEqual([refused.status, await statusOf(site, image)], [502, "uploading"]);
  await importImage(a, image, { name: "glance-direct" });
  await becomes(image, "active");
  const doomed = await createImage(a);
  await stage(a, doomed, randomBytes(1_000));
  assert.equal((await fetch(`${b.url}/v2/images/${doomed}`, { method: "DELETE" })).status, 204);
  await Promise.all([end(a), end(b)]);
});

test("import: a node killed in the middle gives the image back, its task failed, and it can be imported elsewhere", async () => {
  const bytes = randomBytes(300_000);
  const server = await slowServer(bytes);
  const doomed = await site.start("import-doomed", shared);
  const survivor = await site.start("import-survivor", shared);
  const image = await createImage(doomed);
  await importImage(doomed, image, { name: "web-download", uri: server.uri });
  await server.asked();
  assert.equal(await statusOf(site, image), "importing");
  killWhole(doomed);
  await becomes(image, "queued");
  const task = await taskOf(survivor, image);
  assert.deepEqual([task?.status, task?.message], ["failure", "The process that worked on the import is gone."]);
  assert(!existsSync(`${site.folder}/images/${image}`), "no partial data is left");
  server.close();
  const again = await slowServer(bytes);
  await importImage(survivor, image, { name: "web-download", uri: again.uri });
  await again.asked();
  again.finish();
  await becomes(image, "active");
  again.close();
  await end(survivor);
});

test("import: a drain waits for an import under way", async () => {
  const bytes = randomBytes(300_000);
  const server = await slowServer(bytes);
  const node = await site.start("import-drain", shared);
  const image = await createImage(node);
  await importImage(node, image, { name: "web-download", uri: server.uri });
  await server.asked();
  await uploadsPublished(site, "import-drain", 1);
  node.signal("SIGTERM");
  await node.said(/draining: finishing/);
  assert.equal(await statusOf(site, image), "importing");
  server.finish();
  assert.deepEqual(await node.exited, { code: 0, signal: null });
  assert.equal(await statusOf(site, image), "active");
  server.close();
});

test("import: a node that is told to stop at once gives the image back before it ends", async () => {
  const node = await site.start("import-cut", shared);
  const server = await slowServer(randomBytes(300_000));
  const image = await createImage(node);
  await importImage(node, image, { name: "web-download", uri: server.uri });
  await server.asked();
  node.signal("SIGTERM");
  await node.said(/draining: settling/);
  node.signal("SIGTERM");
  assert.equal((await node.exited).code, 1);
  assert.equal(await statusOf(site, image), "queued");
  server.close();
});

async function end(node: NodeProcess): Promise<void> {
  node.signal("SIGTERM");
  assert.deepEqual(await node.exited, { code: 0, signal: null });
}
