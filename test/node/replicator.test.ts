// glance-replicator between real services: two nodes of ours, a Glance, and a source that breaks off or lies about its data.
import assert from "node:assert/strict";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { binary, finish } from "../../demo/processes.ts";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { eventually } from "../servers/eventually.ts";
import { type GlanceSite, makeGlanceSite, setUpGlance, startGlance } from "../servers/glance.ts";
import { type NodeProcess, Site } from "./node-process.ts";
import { ask, at, begin, change, dataOf, ended, make, run, said, show } from "./replicated-images.ts";

const settings = { paste_deploy: { flavor: "fakeauth" } };
const sites = { source: new Site(), target: new Site() };
const folder = mkdtempSync(join(tmpdir(), "perennial-replicator-"));
let source: NodeProcess;
let target: NodeProcess;
let glance: GlanceSite | undefined;

before(async () => {
  for (const site of [sites.source, sites.target]) await site.createDatabase(newestRelease.id);
  [source, target] = await Promise.all([
    sites.source.start("source", settings),
    sites.target.start("target", settings),
  ]);
});
after(async () => {
  await glance?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const large = randomBytes(3_000_000);
const ids: { whole: string; empty: string; community: string; hidden: string; queued: string } = {
  whole: "",
  empty: "",
  community: "",
  hidden: "",
  queued: "",
};

test("glance-replicator: livecopy makes the target the same, says what differs, and goes on with what is missing", async () => {
  ids.whole = await make(
    source,
    {
      name: "whole\u001b[2J",
      visibility: "public",
      owner: "somebody",
      protected: true,
      tags: ["b", "a"],
      os_distro: "debian",
    },
    large,
  );
  ids.empty = await make(source, { min_ram: 512, "a/b~c": "d" }, Buffer.alloc(0));
  ids.community = await make(source, { visibility: "community", owner: "others" }, Buffer.from("community"));
  ids.hidden = await make(source, { os_hidden: true }, Buffer.from("hidden"));
  ids.queued = await make(source, { name: "queued" });
  const sized = await run("size", at(source));
  assert.deepEqual([sized.code, sized.out], [0, "Total size is 3000015 bytes (2.9 MiB) across 4 images\n"]);
  assert.deepEqual(JSON.parse((await run("--json", "size", at(source))).out), { images: 4, bytes: 3_000_015 });
  const missing = await run("compare", at(source), at(target));
  assert.equal(missing.code, 1);
  assert.match(missing.out, new RegExp(`^${ids.whole} \\(whole\\?\\[2J\\): the target has no such image$`, "m"));
  assert.equal(missing.out.split("\n").length - 1, 4);
  const meta = await run("-m", "livecopy", at(source), at(target));
  assert.match(meta.out, new RegExp(`^${ids.empty}: left out, the target has no such image$`, "m"));
  // One was begun by a run that was killed.
  await make(target, { id: ids.community, visibility: "private" });
  const copied = await run("livecopy", at(source), `${target.url}/v2`);
  assert.deepEqual([copied.code, copied.err], [0, ""]);
  assert.match(copied.out, new RegExp(`^${ids.queued} \\(queued\\): left out, it is queued$`, "m"));
  assert.match(copied.out, new RegExp(`^${ids.whole} .*: copied, 2.9 MiB$`, "m"));
  for (const id of [ids.whole, ids.empty, ids.community, ids.hidden]) {
    assert.deepEqual(said(await show(target, id)), said(await show(source, id)));
    assert((await dataOf(target, id)).equals(await dataOf(source, id)));
  }
  assert.equal((await ask(target, "GET", `/${ids.queued}`)).status, 404);
  const again = await run("livecopy", at(source), at(target));
  assert.equal(again.out, `${ids.queued} (queued): left out, it is queued\n`);
  assert.deepEqual(await run("compare", at(source), at(target)), { code: 0, out: "", err: "" });
});

test("glance-replicator: changed metadata is compared and carried over, without what shall be left as it is", async () => {
  await change(source, ids.empty, [
    { op: "replace", path: "/name", value: "renamed" },
    { op: "add", path: "/fresh", value: "1" },
    { op: "replace", path: "/a~1b~0c", value: "e" },
  ]);
  const compared = await run("--json", "compare", at(source), at(target));
  assert.equal(compared.code, 1);
  assert.deepEqual(JSON.parse(compared.out), {
    differences: [
      {
        image_id: ids.empty,
        missing: false,
        fields: [
          { field: "name", source: "renamed", target: null },
          { field: "fresh", source: "1", target: null },
          { field: "a/b~c", source: "e", target: "d" },
        ].sort((one, other) => order(compared.out, one.field) - order(compared.out, other.field)),
      },
    ],
  });
  assert.match(
    (await run("compare", at(source), at(target))).out,
    new RegExp(`^${ids.empty} \\(renamed\\): name differs: source "renamed", target null$`, "m"),
  );
  const left = await run("-D", "name created_at", "livecopy", "-m", at(source), at(target));
  assert.equal(left.code, 0, left.err);
  const { name, fresh, "a/b~c": odd } = await show(target, ids.empty);
  assert.deepEqual([name, fresh, odd], [null, "1", "e"]);
  assert.match(
    (await run("livecopy", at(source), at(target))).out,
    new RegExp(`^${ids.empty} .*metadata changed: name$`, "m"),
  );
});

const order = (json: string, field: string) => json.indexOf(JSON.stringify(field));

test("glance-replicator: other data under the same id is said, and left alone", async () => {
  const id = randomUUID();
  await make(source, { id, name: "twice" }, Buffer.from("one"));
  await make(target, { id, name: "there" }, Buffer.from("two"));
  const { code, err } = await run("livecopy", at(source), at(target));
  assert.equal(code, 1);
  assert.match(
    err,
    new RegExp(`^glance-replicator: ${id} \\(twice\\): the target has other data \\(os_hash_value .*delete the image`),
  );
  assert.equal(String(await dataOf(target, id)), "two");
  for (const node of [source, target]) assert.equal((await ask(node, "DELETE", `/${id}`)).status, 204);
});

test("glance-replicator: a dump is loaded elsewhere as it was, and completed where it was not whole", async () => {
  const path = join(folder, "dump");
  const meta = await run("-m", "dump", at(source), path);
  assert.deepEqual([meta.code, readdirSync(path).filter((name) => name.endsWith(".img"))], [0, []]);
  const dumped = await run("dump", at(source), path);
  assert.deepEqual([dumped.code, dumped.err], [0, ""]);
  const files = [ids.whole, ids.empty, ids.community, ids.hidden].flatMap((id) => [id, `${id}.img`]).sort();
  assert.deepEqual(readdirSync(path).sort(), files);
  assert(readFileSync(join(path, `${ids.whole}.img`)).equals(large));
  assert.equal((await run("dump", at(source), path)).out, `${ids.queued} (queued): left out, it is queued\n`);
  // As a full disk leaves it, or somebody's mistake.
  writeFileSync(join(path, `${ids.whole}.img`), large.subarray(0, 1_000));
  assert.match((await run("dump", at(source), path)).out, new RegExp(`^${ids.whole} .*: dumped`, "m"));
  for (const id of [ids.whole, ids.community]) {
    await change(target, id, [{ op: "replace", path: "/protected", value: false }]);
    assert.equal((await ask(target, "DELETE", `/${id}`)).status, 204);
  }
  // An id is never given again: a dump that is loaded has ids of its own there.
  const gone = await run("load", at(target), path);
  assert.equal(gone.code, 1);
  assert.match(gone.err, new RegExp(`${ids.whole} .*has, or had, an image of this id`));
  const fresh = await sites.target.start("fresh", { ...settings, ...(await emptyDatabase()) });
  rmSync(join(path, `${ids.hidden}.img`));
  const loaded = await run("load", at(fresh), path);
  assert.equal(loaded.code, 1);
  assert.match(loaded.err, new RegExp(`^glance-replicator: ${ids.hidden}: .*\\.img is missing, .*dump it again\n$`));
  assert.equal((await ask(fresh, "GET", `/${ids.hidden}`)).status, 404, "without data there is no image");
  for (const id of [ids.whole, ids.empty, ids.community]) {
    assert.deepEqual(said(await show(fresh, id)), said(await show(source, id)));
    assert((await dataOf(fresh, id)).equals(await dataOf(source, id)));
  }
});

/** Of a third service, which shares nothing with the others. */
async function emptyDatabase() {
  const site = new Site();
  await site.createDatabase(newestRelease.id);
  return {
    database: { connection: site.connection, max_retries: 0 },
    glance_store: { filesystem_store_datadir: join(site.folder, "images") },
  };
}

test("glance-replicator: a dump of version 1 is loaded", async () => {
  const path = mkdtempSync(join(folder, "older-"));
  const id = randomUUID();
  const data = Buffer.from("from version 1");
  const record = {
    ...{ id, name: "older", status: "active", is_public: true, size: data.length, owner: "somebody", protected: false },
    ...{ disk_format: "raw", container_format: "bare", min_ram: 0, min_disk: 1, deleted: false, deleted_at: null },
    ...{ checksum: createHash("md5").update(data).digest("hex"), properties: { arch: "x86_64" } },
    ...{ created_at: "2013-01-01T00:00:00", updated_at: "2013-01-01T00:00:00", location: "swift://user:secret@host/x" },
  };
  writeFileSync(join(path, id), JSON.stringify(record));
  writeFileSync(join(path, `${id}.img`), data);
  const { code, err } = await run("load", at(target), path);
  assert.equal(code, 0, err);
  const { visibility, owner, arch, min_disk, deleted } = await show(target, id);
  assert.deepEqual([visibility, owner, arch, min_disk, deleted], ["public", "somebody", "x86_64", 1, undefined]);
});

/** A service with one image, whose data comes as `send` says. */
async function stub(data: Buffer, send: (response: ServerResponse) => void) {
  const id = randomUUID();
  const image = {
    ...{ id, status: "active", name: "one", size: data.length, disk_format: "raw", container_format: "bare" },
    ...{ os_hash_algo: "sha512", os_hash_value: createHash("sha512").update(data).digest("hex") },
  };
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    if (request.url?.endsWith("/file")) return send(response);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ images: [image] }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    id,
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test("glance-replicator: data that breaks off, or is not what the image says, is kept by nobody", async () => {
  const data = randomBytes(500_000);
  const wrong = Buffer.from(data);
  wrong.writeUInt8(wrong.readUInt8(499_999) ^ 1, 499_999);
  let way = 0;
  const ways: readonly ((response: ServerResponse) => void)[] = [
    (response) => void response.end(wrong),
    (response) => void response.end(data.subarray(1)),
    (response) => void response.end(Buffer.concat([data, data])),
    (response) => {
      response.writeHead(200, { "content-length": data.length });
      response.write(data.subarray(0, 300_000), () => response.destroy());
    },
    (response) => void response.writeHead(403).end('{"message": "It is not for you."}'),
  ];
  const one = await stub(data, (response) => (ways[way] ?? ((right) => void right.end(data)))(response));
  const path = join(folder, "broken");
  for (const reason of [/another hash/, /fewer bytes/, /more bytes/, /broke off/, /403: It is not for you/]) {
    const dumped = await run("dump", one.address, path);
    assert.equal(dumped.code, 1);
    assert.match(dumped.err, new RegExp(`^glance-replicator: ${one.id} \\(one\\): .*${reason.source}.*\n$`));
    assert.deepEqual(readdirSync(path), []);
    const copied = await run("livecopy", one.address, at(target));
    assert.equal(copied.code, 1);
    assert.match(copied.err, reason);
    const there = await ask(target, "GET", `/${one.id}`);
    if (there.status === 200)
      await eventually("the upload is given up", async () => (await show(target, one.id)).status === "queued");
    way++;
  }
  assert.equal((await run("dump", one.address, path)).code, 0);
  const copied = await run("livecopy", one.address, at(target));
  assert.deepEqual([copied.code, copied.err], [0, ""]);
  assert((await dataOf(target, one.id)).equals(data));
  one.close();
});

test("glance-replicator: a dump that is stopped or killed is never taken for whole, and is done again", async () => {
  const data = randomBytes(800_000);
  let held = true;
  const one = await stub(data, (response) => {
    if (!held) return void response.end(data);
    response.writeHead(200, { "content-length": data.length });
    response.write(data.subarray(0, 700_000));
  });
  const path = join(folder, "stopped");
  const partial = join(path, `${one.id}.img.partial`);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const child = begin("dump", one.address, path);
    const end = ended(child);
    await eventually("the data has begun", () => existsSync(partial) && readFileSync(partial).length > 0);
    child.kill(signal);
    const { code, err } = await end;
    if (signal === "SIGTERM")
      assert.deepEqual([code, err], [1, "glance-replicator: stopped by SIGTERM; run it again to go on\n"]);
    assert.deepEqual(readdirSync(path), signal === "SIGTERM" ? [] : [`${one.id}.img.partial`]);
  }
  held = false;
  assert.equal((await run("dump", one.address, path)).code, 0);
  assert.deepEqual(readdirSync(path).sort(), [one.id, `${one.id}.img`]);
  assert(readFileSync(join(path, `${one.id}.img`)).equals(data));
  one.close();
});

test("glance-replicator: images go from a Glance to a node, and from a node to a Glance", async () => {
  glance = makeGlanceSite();
  const setup = await setUpGlance(glance, {
    name: "reference",
    database: `sqlite:///${join(glance.folder, "glance.sqlite")}`,
    flavor: "fakeauth",
  });
  const made = await finish([...binary("glance-manage"), "--config-file", setup.config, "db", "sync", "--to", "zed"]);
  assert.equal(made.code, 0, made.stderr);
  const reference = await startGlance(setup);
  const data = randomBytes(1_000_000);
  const id = await make(reference, { name: "theirs", tags: ["x"], owner: "somebody", visibility: "public" }, data);
  const from = await run("livecopy", at(reference), at(target));
  assert.deepEqual([from.code, from.err], [0, ""], reference.output());
  assert((await dataOf(target, id)).equals(data));
  assert.deepEqual(await run("compare", at(reference), at(target)), { code: 0, out: "", err: "" });
  const to = await run("livecopy", at(source), at(reference));
  assert.deepEqual([to.code, to.err], [0, ""], reference.output());
  assert((await dataOf(reference, ids.whole)).equals(large));
  const compared = await run("compare", at(source), at(reference));
  assert.deepEqual([compared.out, compared.code], ["", 0]);
});

test("glance-replicator: says in one line what is wrong and what to do", async () => {
  for (const [args, code, line] of [
    [["size", "127.0.0.1:1"], 1, /GET http:\/\/127\.0\.0\.1:1\/v2\/images.* failed: /],
    [["-t", "", "size", at(source)], 1, /takes no such token \(401\): give a valid one/],
    [["size", "one two"], 1, /"one two" is no server: give host:port/],
    [["load", at(target), join(folder, "nowhere")], 1, /nowhere cannot be read/],
    [["dump", at(source), join(folder, "no", "where")], 1, /cannot be made .*make the folder above it first/],
    [["livecopy", at(source)], 2, /missing required argument 'toserver:port'/],
    [["mirror"], 2, /unknown command/],
  ] as const) {
    const ran = await run(...args);
    assert.equal(ran.code, code, ran.err);
    assert.match(ran.err, line);
    assert.equal(ran.err.split("\n").length - 1, 1, ran.err);
  }
  assert.match((await run("help", "livecopy")).out, /Copy all images of one service into another/);
});
