// The commands on a node's image cache, as operators and their cron jobs run them: over HTTP, and on the node's own folder.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { noXattrs } from "../../src/cache/testing/indexes.ts";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { eventually } from "../servers/eventually.ts";
import { type NodeProcess, Site } from "./node-process.ts";

const site = new Site();
const folderOf = (driver: string) => join(site.folder, `cache-${driver}`);
const cachingWith = (driver: string) => ({
  DEFAULT: { image_cache_dir: folderOf(driver), image_cache_driver: driver, cache_prefetcher_interval: 0 },
  paste_deploy: { flavor: "fakeauth+cachemanagement" },
});
const token = "boss:ops:admin";
let node: NodeProcess;

before(async () => {
  await site.createDatabase(newestRelease.id);
  node = await site.start("commands", cachingWith("sqlite"));
});

/** The same with each driver that has its index on the node; `node` has it. */
function testOnDrivers(title: string, work: (driver: string) => Promise<void>): void {
  test(title, () => work("sqlite"));
  test(`${title} (xattr)`, { skip: noXattrs }, async () => {
    const usual = node;
    node = await site.start("commands-xattr", cachingWith("xattr"));
    try {
      await work("xattr");
    } finally {
      node.signal("SIGTERM");
      await node.exited;
      node = usual;
    }
  });
}

/** `env`: nothing else of ours that begins with OS_ is passed on. */
async function run(name: string, args: readonly string[], env: Record<string, string> = {}) {
  const script = fileURLToPath(new URL(`../../bin/${name}.js`, import.meta.url));
  const own = Object.entries(process.env).filter(([variable]) => !variable.startsWith("OS_"));
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...Object.fromEntries(own), ...env },
  });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code: code as number | null, out, err };
}

const manage = (...args: readonly string[]) =>
  run("glance-cache-manage", ["-H", "127.0.0.1", "-p", String(node.port), "-A", token, ...args]);

async function createImage(data: Buffer): Promise<string> {
  const headers = { "x-auth-token": token };
  const body = JSON.stringify({ disk_format: "raw", container_format: "bare" });
  const made = await fetch(`${node.url}/v2/images`, { method: "POST", headers, body });
  const { id } = (await made.json()) as { id: string };
  const { status } = await fetch(`${node.url}/v2/images/${id}/file`, {
    method: "PUT",
    headers: { ...headers, "content-type": "application/octet-stream" },
    body: new Uint8Array(data),
  });
  assert.equal(status, 204);
  return id;
}

testOnDrivers(
  "glance-cache-manage and -prefetcher: an image is queued, fetched, listed, and taken out again",
  async (driver) => {
    const folder = folderOf(driver);
    const image = await createImage(randomBytes(700_000));
    const unasked = await manage("queue-image", image);
    assert.deepEqual([unasked.code, unasked.out], [1, ""]);
    assert.match(unasked.err, /give --force/);
    assert.match((await manage("-f", "queue-image", image)).out, new RegExp(`^Queued image ${image}`));
    assert.match((await manage("list-queued")).out, new RegExp(`^Found 1 queued images:\n${image}\n$`));
    const fetched = await run("glance-cache-prefetcher", ["--config-file", node.config, "--json"]);
    assert.deepEqual(JSON.parse(fetched.out), { fetched: [image], waiting: [], dropped: [] });
    assert.equal(fetched.code, 0);
    assert(existsSync(join(folder, image)));
    assert.match((await manage("list-queued")).out, /^No queued images/);
    const listed = JSON.parse((await manage("list-cached", "--json")).out);
    assert.deepEqual([listed.cached_images[0].image_id, listed.cached_images[0].size], [image, 700_000]);
    assert.match((await manage("list-cached")).out, new RegExp(`Hits\n${image} .* 700000 +0\n$`));
    assert.equal((await manage("-f", "delete-cached-image", image)).code, 0);
    assert(!existsSync(join(folder, image)));
    assert.deepEqual(JSON.parse((await manage("-f", "--json", "delete-all-cached-images")).out), { num_deleted: 0 });
  },
);

test("glance-cache-manage: says in one line what is wrong and what to do", async () => {
  for (const [args, code, line] of [
    [["-f", "queue-image", "no-id"], 1, /is not the id of an image/],
    [["-f", "queue-image", randomUUID()], 1, /answered 404/],
    [["-A", "alice:project:member", "list-cached"], 1, /403: managing the cache is an admin's/],
    [["-A", "", "list-cached"], 1, /401: give a valid token/],
    [["-p", "1", "list-cached"], 1, /cannot be reached/],
    [["no-such-command"], 2, /unknown command/],
    [["queue-image"], 2, /missing required argument/],
  ] as const) {
    const { code: ended, err } = await manage(...args);
    assert.equal(ended, code, err);
    assert.match(err, line);
  }
});

test("glance-cache-manage: with a name and a password it gets its token from Keystone", async () => {
  let asked: unknown;
  const keystone = createServer(async (request, response) => {
    asked = { url: request.url, body: JSON.parse(await text(request)) };
    response.writeHead(201, { "x-subject-token": token }).end("{}");
  }).listen(0, "127.0.0.1");
  await once(keystone, "listening");
  const { port } = keystone.address() as AddressInfo;
  const env = { OS_AUTH_URL: `http://127.0.0.1:${port}/v3`, OS_USERNAME: "boss", OS_PASSWORD: "secret" };
  const url = ["-H", node.url, "list-queued"];
  const { code, err } = await run("glance-cache-manage", url, { ...env, OS_PROJECT_NAME: "ops" });
  assert.equal(code, 0, err);
  const user = { name: "boss", password: "secret", domain: { name: "Default" } };
  assert.deepEqual(asked, {
    url: "/v3/auth/tokens",
    body: {
      auth: {
        identity: { methods: ["password"], password: { user } },
        scope: { project: { name: "ops", domain: { name: "Default" } } },
      },
    },
  });
  assert.match((await run("glance-cache-manage", url, env)).err, /give --os-project-name/);
  keystone.close();
});

testOnDrivers(
  "glance-cache-pruner and -cleaner: keep to the size, and remove what has stalled, beside the node",
  async (driver) => {
    const [folder, caching] = [folderOf(driver), cachingWith(driver)];
    const images = [await createImage(randomBytes(400_000)), await createImage(randomBytes(400_000))];
    for (const image of images) {
      const response = await fetch(`${node.url}/v2/images/${image}/file`, { headers: { "x-auth-token": token } });
      await response.arrayBuffer();
      await eventually("the copy is there", () => existsSync(join(folder, image)));
      await eventually("it is known", async () => (await manage("list-cached")).out.includes(image));
    }
    const smaller = site.writeConfig("smaller", {
      ...caching,
      DEFAULT: { ...caching.DEFAULT, image_cache_max_size: 500_000 },
    });
    const pruned = await run("glance-cache-pruner", ["--config-file", smaller, "--json"]);
    assert.deepEqual(JSON.parse(pruned.out), { total_files_pruned: 1, total_bytes_pruned: 400_000 });
    assert.deepEqual(
      images.map((image) => existsSync(join(folder, image))),
      [false, true],
    );
    const stalled = join(folder, "incomplete", randomUUID());
    writeFileSync(stalled, "begun");
    assert.match((await run("glance-cache-cleaner", ["--config-file", node.config])).out, /^Removed 0 /);
    const yesterday = new Date(Date.now() - 90_000_000);
    utimesSync(stalled, yesterday, yesterday);
    assert.match((await run("glance-cache-cleaner", ["--config-file", node.config])).out, /^Removed 1 /);
    const none = await run("glance-cache-cleaner", ["--config-file", site.writeConfig("none")]);
    assert.deepEqual([none.code, none.out], [78, ""]);
    assert.match(none.err, /^glance-cache-cleaner: \[DEFAULT\] image_cache_dir is not set/);
  },
);
