// The Ceph store against a real cluster: everything a store promises, and what only Ceph has: snapshots, clones, whoever writes or died writing.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { isServiceError } from "../../src/core/errors.ts";
import { openRbdStore, type RbdStoreOptions } from "../../src/stores/rbd/rbd-store.ts";
import { storeConformance } from "../../src/stores/testing/store-conformance.ts";
import { type CephCluster, startCeph } from "../servers/ceph.ts";
import { eventually } from "../servers/eventually.ts";

const signal = new AbortController().signal;
let ceph: CephCluster;
before(async () => {
  ceph = await startCeph();
  await ceph.makePool("images");
});
after(() => ceph?.stop());

async function openStore(changes: Partial<RbdStoreOptions> = {}) {
  const options = {
    access: { conf: ceph.conf, user: ceph.user, timeoutSeconds: 60 },
    pool: "images",
    objectBytes: 4 * 1_048_576,
    thin: false,
    ...changes,
  };
  const store = await openRbdStore(options);
  const contents = async () => (await ceph.rbd("ls", options.pool)).split("\n").filter((name) => name !== "");
  return {
    store,
    contents,
    async close() {
      await store.close();
      // The next test begins with an empty pool.
      for (const name of await contents()) {
        await ceph.rbd("snap", "unprotect", `${options.pool}/${name}@snap`).catch(() => undefined);
        await ceph.rbd("snap", "purge", `${options.pool}/${name}`);
        await ceph.rbd("rm", `${options.pool}/${name}`);
      }
    },
  };
}

storeConformance("rbd store", () => openStore());

const hasCode = (code: Parameters<typeof isServiceError>[1]) => (error: unknown) =>
  code !== undefined && isServiceError(error, code);

test("rbd store: an image is what the reference makes of it, cut to its size, and cloned by others as that", async () => {
  const { store, close } = await openStore();
  const id = randomUUID();
  // Larger than what an image of unknown size begins with.
  const data = randomBytes(9_500_001);
  const { url } = await store.put(id, Readable.from([data]), { signal });
  assert.equal(url, `rbd://${ceph.fsid}/images/${id}/snap`);
  const info = JSON.parse(await ceph.rbd("info", "--format", "json", `images/${id}@snap`));
  assert.deepEqual([info.size, info.order, info.protected], [data.length, 22, "true"]);
  assert(info.features.includes("layering"));
  const exported = join(ceph.folder, id);
  await ceph.rbd("export", `images/${id}@snap`, exported);
  assert((await readFile(exported)).equals(data));
  await ceph.rbd("clone", `images/${id}@snap`, `images/clone-of-${id}`);
  await assert.rejects(store.remove(url), hasCode("stores.in_use"));
  assert((await buffer(await store.open(url, { signal }))).equals(data), "a removal that is refused takes nothing");
  await ceph.rbd("rm", `images/clone-of-${id}`);
  await store.remove(url);
  await close();
});

test("rbd store: what others put into a pool is read and removed, by locations of both forms", async () => {
  const { store, contents, close } = await openStore();
  const file = join(ceph.folder, "imported");
  await writeFile(file, "of others");
  await ceph.rbd("import", file, "images/other");
  await ceph.rbd("import", file, "images/old");
  const url = `rbd://${ceph.fsid}/images/other/snap`;
  await assert.rejects(
    store.open(url, { signal }),
    hasCode("stores.blob_not_found"),
    "without its snapshot it is not complete",
  );
  await ceph.rbd("snap", "create", "images/other@snap");
  for (const location of [url, "rbd://old"]) {
    assert(store.owns(location));
    assert.equal(await store.size(location), 9);
    assert.equal((await buffer(await store.open(location, { signal }))).toString(), "of others");
    await store.remove(location);
  }
  assert.deepEqual(await contents(), []);
  for (const location of [url.replace(ceph.fsid, randomUUID()), url.replace("images", "none"), "rbd://a/b", "rbd://%"])
    await assert.rejects(store.size(location), hasCode("stores.blob_not_found"));
  await close();
});

test("rbd store: what a killed put left is no data, is replaced by the next put, and removed", async () => {
  const { store, contents, close } = await openStore();
  for (const id of ["left-1", "left-2"]) await ceph.rbd("create", "--size", "4M", `images/${id}`);
  const url = store.locationFor("left-1");
  await assert.rejects(store.open(url, { signal }), hasCode("stores.blob_not_found"));
  await store.put("left-1", Readable.from([Buffer.from("new")]), { signal });
  assert.equal((await buffer(await store.open(url, { signal }))).toString(), "new");
  await store.remove(url);
  await store.remove(store.locationFor("left-2"));
  assert.deepEqual(await contents(), []);
  await close();
});

test("rbd store: a put of another node stops when its data is removed, and is left alone by another put", async () => {
  const one = await openStore();
  const other = await openStore();
  const id = randomUUID();
  const written = Promise.withResolvers<void>();
  async function* endless() {
    for (let sent = 0; ; sent += 65_536) {
      yield Buffer.alloc(65_536, 1);
      if (sent > 3_000_000) written.resolve();
      await new Promise(setImmediate);
    }
  }
  const put = one.store.put(id, Readable.from(endless(), { objectMode: false }), { signal });
  const failed = assert.rejects(put, hasCode("stores.unavailable"));
  await written.promise;
  await assert.rejects(
    other.store.put(id, Readable.from([Buffer.from("x")]), { signal }),
    hasCode("stores.blob_exists"),
  );
  await other.store.remove(other.store.locationFor(id));
  await failed;
  assert.deepEqual(await other.contents(), []);
  await one.close();
  await other.close();
});

test("rbd store: an image that is removed while it is read ends in an error, never in zeros", async () => {
  const { store, close } = await openStore();
  const { url } = await store.put(randomUUID(), Readable.from([randomBytes(8_000_000)]), { signal });
  const stream = await store.open(url, { signal });
  await once(stream, "readable");
  stream.read(1);
  await store.remove(url);
  await assert.rejects(buffer(stream), hasCode("stores.unavailable"));
  await close();
});

test("rbd store: the native code that its threads use stays loaded when they have ended", async () => {
  const { store, close } = await openStore();
  await assert.rejects(store.size(store.locationFor("none")), hasCode("stores.blob_not_found"));
  await close();
  assert.match(await readFile("/proc/self/maps", "utf8"), /koffi\.node/);
});

test("rbd store: with thin provisioning zeros take no room", async () => {
  const { store, close } = await openStore({ thin: true });
  const id = randomUUID();
  const data = Buffer.concat([Buffer.alloc(8_388_608), randomBytes(1_048_576), Buffer.alloc(3_145_728)]);
  const { url } = await store.put(id, Readable.from([data]), { signal, expectedBytes: data.length });
  const extents: { offset: number; length: number }[] = JSON.parse(
    await ceph.rbd("diff", "--format", "json", `images/${id}@snap`),
  );
  assert(extents.every(({ offset }) => offset >= 8_388_608) && extents.length === 1, JSON.stringify(extents));
  assert((await buffer(await store.open(url, { signal }))).equals(data));
  await close();
});

test("rbd store: a cluster that does not answer fails what waits for it in time, holds up nothing else, and is used again when it answers", async () => {
  const { store, close } = await openStore({ access: { conf: ceph.conf, user: ceph.user, timeoutSeconds: 3 } });
  const id = randomUUID();
  const { url } = await store.put(id, Readable.from([Buffer.from("before")]), { signal });
  await ceph.withoutAnswer(async () => {
    const reads = Array.from({ length: 10 }, async () => {
      await assert.rejects(store.size(url), hasCode("stores.unavailable"));
    });
    const put = assert.rejects(
      store.put("paused", Readable.from([Buffer.from("x")]), { signal }),
      hasCode("stores.unavailable"),
    );
    // Files are read by the threads that Node.js has for all.
    await Promise.race([
      readFile(ceph.conf),
      ...reads.map((read) => read.then(() => assert.fail("the file waits for Ceph"))),
    ]);
    await Promise.all([...reads, put]);
  });
  assert.equal((await buffer(await store.open(url, { signal }))).toString(), "before");
  await close();
});

test("rbd store: a node that the cluster shuts out fails what it has under way, and works again on a new connection", async () => {
  const { store, contents, close } = await openStore();
  const { url } = await store.put("kept", Readable.from([Buffer.from("kept")]), { signal });
  const gate = Promise.withResolvers<void>();
  const written = Promise.withResolvers<void>();
  async function* slow() {
    yield randomBytes(2_000_000);
    written.resolve();
    await gate.promise;
    yield randomBytes(2_000_000);
  }
  const put = assert.rejects(store.put("cut", Readable.from(slow()), { signal }), hasCode("stores.unavailable"));
  await written.promise;
  const { watchers } = JSON.parse(await ceph.rbd("status", "--format", "json", "images/cut"));
  for (const { address } of watchers) await ceph.ceph("osd", "blocklist", "add", address);
  gate.resolve();
  await put;
  // The first calls find out.
  await eventually("the store works again", async () => (await store.size(url)) === 4);
  assert.equal((await buffer(await store.open(url, { signal }))).toString(), "kept");
  await store.put("new", Readable.from([Buffer.from("new")]), { signal });
  await eventually("what was cut can be removed", async () => {
    await store.remove(store.locationFor("cut"));
    return true;
  });
  assert.deepEqual((await contents()).sort(), ["kept", "new"]);
  await close();
});

test("rbd store: a pool, a user or a configuration that is not there is named at the start", async () => {
  const access = { conf: ceph.conf, user: ceph.user, timeoutSeconds: 60 };
  const refused = (changes: Partial<RbdStoreOptions>, text: RegExp) =>
    assert.rejects(
      openStore(changes),
      (error) => isServiceError(error, "stores.unavailable") && text.test(error.message),
    );
  await refused({ pool: "nowhere" }, /no pool nowhere/);
  await refused({ access: { ...access, user: "nobody" } }, /rados_connect/);
  await refused({ access: { ...access, conf: join(ceph.folder, "none.conf") } }, /rados_conf_read_file: ENOENT/);
});
