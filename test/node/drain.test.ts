// Nodes leave without dropping a request: real nodes under clients that keep their connections, and transfers that outlast the signal.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { before, test } from "node:test";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { eventually } from "../servers/eventually.ts";
import { createImage, openUpload, rowOf, statusOf, uploadsPublished } from "./images.ts";
import { KeepAliveClients } from "./keep-alive-clients.ts";
import { type NodeProcess, Site } from "./node-process.ts";

const site = new Site();
before(() => site.createDatabase(newestRelease.id));

test("drain: keep-alive clients of two nodes see no failed request while the nodes are replaced in turn", async (t) => {
  const nodes = new Map([
    ["a", await site.start("a", { DEFAULT: { workers: 2 } })],
    ["b", await site.start("b")],
  ]);
  const ports = [...nodes.values()].map((node) => node.port);
  const clients = new KeepAliveClients({ ports, path: "/v2/images?limit=2", clients: 8 });
  await clients.served(200);
  for (const name of ["a", "b", "a", "b"]) {
    const old = nodes.get(name);
    assert(old);
    old.signal("SIGTERM");
    assert.deepEqual(await old.exited, { code: 0, signal: null }, old.stderr.join("\n"));
    nodes.set(name, await site.start(name, {}, { port: old.port }));
    await clients.served(100);
  }
  const { served, failures, movedOn } = await clients.stop();
  t.diagnostic(`${served} requests, ${movedOn} refused connections that went to the other node`);
  assert.deepEqual(failures, []);
  assert(movedOn === 0, "the health check tells in time");
  await Promise.all([...nodes.values()].map((node) => stop(node)));
});

test("drain: an upload under way when the node is told to stop is finished, and progress is published", async () => {
  const node = await site.start("upload");
  const image = await createImage(node);
  const upload = openUpload(node, image, 300_000);
  upload.write(100_000);
  await uploadsPublished(site, "upload", 1);
  node.signal("SIGTERM");
  await node.said(/draining: finishing/);
  // The node is closed to all others by now.
  const [error] = await once(connect(node.port, "127.0.0.1"), "error");
  assert.equal(error.code, "ECONNREFUSED");
  const row = await rowOf(site, "upload");
  assert.deepEqual([row?.state, row?.uploads, row?.bytes_left], ["draining", 1, 200_000]);
  upload.write(200_000);
  assert.equal(await upload.status, 204);
  assert.deepEqual(await node.exited, { code: 0, signal: null });
  assert.equal((await rowOf(site, "upload"))?.state, "stopped");
  assert.equal(await statusOf(site, image), "active");
});

test("drain: a second TERM cuts at once, ends with 1, and the image is queued again", async () => {
  const node = await site.start("cut");
  const image = await createImage(node);
  const upload = openUpload(node, image, 300_000);
  upload.write(100_000);
  await uploadsPublished(site, "cut", 1);
  node.signal("SIGTERM");
  await node.said(/draining: settling/);
  node.signal("SIGTERM");
  await assert.rejects(upload.status);
  assert.deepEqual(await node.exited, { code: 1, signal: null });
  assert.equal(await statusOf(site, image), "queued");
});

test("drain: the deadline cuts what is not through by then", async () => {
  const node = await site.start("deadline", { perennial: { drain_deadline_seconds: 0.5 } });
  const image = await createImage(node);
  const upload = openUpload(node, image, 300_000);
  upload.write(100_000);
  await uploadsPublished(site, "deadline", 1);
  node.signal("SIGTERM");
  await assert.rejects(upload.status);
  assert.deepEqual(await node.exited, { code: 1, signal: null });
  assert.equal(await statusOf(site, image), "queued");
});

test("drain: while it settles the health check fails and requests are served with Connection: close", async () => {
  const node = await site.start("settle", { perennial: { drain_settle_seconds: 5 } });
  node.signal("SIGTERM");
  const health = await eventually("health fails", async () => {
    const now = await node.health();
    return now.status === 503 && now;
  });
  assert.match(health.text, /DRAINING/);
  const response = await fetch(`${node.url}/v2/images`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("connection"), "close");
  await response.text();
  node.signal("SIGQUIT");
  assert.equal((await node.exited).code, 1);
});

async function stop(node: NodeProcess): Promise<void> {
  node.signal("SIGTERM");
  await node.exited;
}
