// The image cache of real nodes: copies outlive what happens to processes, and never are anything but the image.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { before, test } from "node:test";
import { loadExtendedAttributes } from "../../src/cache/extended-attributes.ts";
import { noXattrs } from "../../src/cache/testing/indexes.ts";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { eventually } from "../servers/eventually.ts";
import { createImage } from "./images.ts";
import { NodeProcess, Site } from "./node-process.ts";

const site = new Site();
before(() => site.createDatabase(newestRelease.id));

const caching = (folder: string, more: Record<string, string | number> = {}) => ({
  DEFAULT: {
    image_cache_dir: join(site.folder, folder),
    worker_self_reference_url: `http://${folder}.example`,
    ...more,
  },
  paste_deploy: { flavor: "cachemanagement" },
});

async function upload(node: NodeProcess, data: Buffer): Promise<string> {
  const image = await createImage(node);
  const headers = { "content-type": "application/octet-stream" };
  const { status } = await fetch(`${node.url}/v2/images/${image}/file`, {
    method: "PUT",
    headers,
    body: new Uint8Array(data),
  });
  assert.equal(status, 204);
  return image;
}

/** Over a connection of its own: those that are kept may lead to a process that was killed. */
async function digest(node: NodeProcess, image: string): Promise<string> {
  const [response] = (await once(get(`${node.url}/v2/images/${image}/file`, { agent: false }), "response")) as [
    IncomingMessage,
  ];
  assert.equal(response.statusCode, 200);
  return md5(await buffer(response));
}

const md5 = (data: Buffer) => createHash("md5").update(data).digest("hex");

async function end(node: NodeProcess): Promise<void> {
  node.signal("SIGTERM");
  assert.equal((await node.exited).code, 0);
}

test("cache: a node serves its copy when the store has lost the data, lists it, and forgets it with the image", async () => {
  const node = await site.start("caching", caching("copies", { workers: 2 }));
  const data = randomBytes(3_000_000);
  const image = await upload(node, data);
  const copy = join(site.folder, "copies", image);
  assert.equal(await digest(node, image), md5(data));
  await eventually("the copy is there", () => existsSync(copy));
  rmSync(join(site.folder, "images", image));
  for (let count = 0; count < 4; count++) assert.equal(await digest(node, image), md5(data));
  const [shown] = JSON.parse(await node.get("/v2/cache")).cached_images;
  assert.equal(shown.checksum, md5(data));
  assert.equal(typeof shown.id, "number");
  assert.equal(JSON.parse(await node.get("/v2/cached_images")).cached_images[0].image_id, image);
  assert.match(await node.get("/versions"), /"v2\.16"/);
  assert.equal((await fetch(`${node.url}/v2/images/${image}`, { method: "DELETE" })).status, 204);
  assert.equal(existsSync(copy), false);
  await end(node);
});

test("cache: what is asked for by the API is fetched at once, and the index of the node's own file is taken over", async () => {
  const node = await site.start("prefetching", caching("queue", { image_cache_driver: "sqlite" }));
  const image = await upload(node, randomBytes(1_000_000));
  assert.equal((await fetch(`${node.url}/v2/cache/${image}`, { method: "PUT" })).status, 202);
  const copy = join(site.folder, "queue", image);
  await eventually("the copy is there", () => existsSync(copy));
  assert(existsSync(join(site.folder, "queue", "cache.db")));
  await eventually("it is no longer queued", async () => !(await node.get("/v2/queued_images")).includes(image));
  await end(node);
  // The node goes on with the index in the database, as 2024.1 made it usual.
  const newer = await site.start("prefetching", caching("queue"));
  const [shown] = JSON.parse(await newer.get("/v2/cache")).cached_images;
  assert.deepEqual([shown.image_id, shown.checksum], [image, md5(readFileSync(copy))]);
  await end(newer);
});

test("cache: driver xattr takes over what the node's own file says of the copies, and gives copies that either driver serves", {
  skip: noXattrs,
}, async () => {
  const older = await site.start("before-xattr", caching("attributes", { image_cache_driver: "sqlite" }));
  const image = await upload(older, randomBytes(400_000));
  const whole = await digest(older, image);
  const copy = join(site.folder, "attributes", image);
  await eventually("the copy is there", () => existsSync(copy));
  await end(older);
  const node = await site.start("before-xattr", caching("attributes", { image_cache_driver: "xattr", workers: 2 }));
  rmSync(join(site.folder, "images", image));
  for (let count = 0; count < 4; count++) assert.equal(await digest(node, image), whole);
  const shown = async () => JSON.parse(await node.get("/v2/cache")).cached_images[0];
  await eventually("its hits are counted", async () => (await shown()).hits > 0);
  assert.equal((await shown()).image_id, image);
  const attributes = await loadExtendedAttributes();
  assert.equal(attributes.get(copy, "user.perennial_md5"), whole, "as the node's own file had it");
  assert.match(attributes.get(copy, "user.hits") ?? "", /^[1-4]$/);
  await end(node);
  const back = await site.start("before-xattr", caching("attributes", { image_cache_driver: "sqlite" }));
  assert.equal(await digest(back, image), whole);
  await end(back);
});

test("cache: a worker that is killed while it fills leaves no copy; the next download after a while fills it", async () => {
  const node = await site.start("killed", caching("killed"));
  const data = randomBytes(48_000_000);
  const image = await upload(node, data);
  const slow = get(`${node.url}/v2/images/${image}/file`, { agent: false });
  const [response] = (await once(slow, "response")) as [IncomingMessage];
  const cut = new Promise((resolve) => response.once("error", resolve));
  await once(response, "readable");
  const folder = join(site.folder, "killed");
  const incomplete = () => readdirSync(join(folder, "incomplete"));
  await eventually("it is being filled", () => incomplete().length === 2);
  const [worker = 0] = readFileSync(`/proc/${node.pid}/task/${node.pid}/children`, "utf8")
    .trim()
    .split(" ")
    .map(Number);
  process.kill(worker, "SIGKILL");
  response.resume();
  await cut;
  assert.equal(existsSync(join(folder, image)), false);
  assert.equal(await digest(node, image), md5(data), "served, and not yet filled anew");
  assert.equal(existsSync(join(folder, image)), false);
  const before = new Date(Date.now() - 100_000);
  utimesSync(join(folder, "incomplete", image), before, before);
  assert.equal(await digest(node, image), md5(data));
  await eventually("the copy is there", () => existsSync(join(folder, image)));
  assert.equal(md5(readFileSync(join(folder, image))), md5(data));
  await eventually("nothing unfinished is left", () => incomplete().length === 0);
  await end(node);
});

test("cache: a flavor that caches needs a folder, and the database's index a name for the node", async () => {
  const refused = async (name: string, changes: Parameters<Site["writeConfig"]>[1]) => {
    const { code, stderr } = await NodeProcess.refused(site.writeConfig(name, changes));
    assert.equal(code, 78);
    return stderr.join("\n");
  };
  assert.match(await refused("homeless", { paste_deploy: { flavor: "caching" } }), /image_cache_dir is not set/);
  const nameless = { DEFAULT: { image_cache_dir: join(site.folder, "nameless") } };
  assert.match(await refused("nameless", nameless), /worker_self_reference_url is not set/);
});
