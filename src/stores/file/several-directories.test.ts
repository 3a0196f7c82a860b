import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { isServiceError } from "../../core/errors.ts";
import { storeConformance } from "../testing/store-conformance.ts";
import { openFileStore } from "./file-store.ts";
import { storeOfDirectories } from "./several-directories.ts";

const signal = new AbortController().signal;
const id = "11111111-2222-4333-8444-555555555555";

/** Directories by name, each with its priority. */
async function openStore(priorities: Readonly<Record<string, number>> = { low: 1, high: 5 }) {
  const root = await mkdtemp(join(tmpdir(), "perennial-directories-"));
  const directories = await Promise.all(
    Object.entries(priorities).map(async ([name, priority]) => {
      const path = join(root, name);
      const store = await openFileStore({ dataDirectory: path, filePermissions: null, readBytes: 65_536 });
      return { path, priority, store };
    }),
  );
  const contents = async () =>
    (await readdir(root, { recursive: true })).filter((name) => !/^\w+(\/\.perennial-partial)?$/.test(name));
  return {
    store: storeOfDirectories(directories),
    directories,
    root,
    contents,
    close: () => rm(root, { recursive: true }),
  };
}

storeConformance("several directories", () => openStore());

test("several directories: data goes to the highest priority, and to the next where it has no room", async (t) => {
  const { store, root, contents, close } = await openStore({ low: 1, high: 5, middle: 3 });
  const high = join(root, "high");
  t.after(() => {
    spawnSync("umount", ["--lazy", high]);
    return close();
  });
  await store.put("first", Readable.from([Buffer.from("data")]), { signal, expectedBytes: 4 });
  assert.deepEqual(await contents(), ["high/first"]);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "perennial-test", high]).status !== 0)
    return t.skip("this machine does not let us mount a small file system: that takes root");
  const { url } = await store.put(id, Readable.from([Buffer.alloc(2_000_000)]), { signal, expectedBytes: 2_000_000 });
  assert.equal(url, `file://${root}/middle/${id}`);
  assert(store.owns(url));
  assert.equal((await buffer(await store.open(url, { signal }))).length, 2_000_000);
});

test("several directories: removing by the URL that was announced finds the data wherever it went, and a taken key is refused in all", async (t) => {
  const { store, directories, contents, close } = await openStore();
  t.after(close);
  const low = directories[0]?.store ?? assert.fail();
  await low.put(id, Readable.from([Buffer.from("data")]), { signal });
  await assert.rejects(store.put(id, Readable.from([Buffer.from("other")]), { signal }), (error) =>
    isServiceError(error, "stores.blob_exists"),
  );
  assert.match(store.locationFor(id), /\/high\//);
  await store.remove(store.locationFor(id));
  assert.deepEqual(await contents(), []);
});

test("file store: zeros take no room where it provisions thinly, and read back as zeros", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "perennial-sparse-"));
  t.after(() => rm(root, { recursive: true }));
  const note = { id: "nfs", mountpoint: root };
  const options = { dataDirectory: root, filePermissions: null, readBytes: 65_536, sparse: true, metadata: note };
  const store = await openFileStore(options);
  const zeros = Array.from({ length: 100 }, () => Buffer.alloc(65_536));
  const chunks = [...zeros, Buffer.from("head"), ...zeros, Buffer.alloc(65_536, 1), ...zeros];
  const { url, metadata } = await store.put(id, Readable.from(chunks), { signal });
  const { size, blocks } = await stat(join(root, id));
  assert.equal(size, 301 * 65_536 + 4);
  assert(blocks * 512 < 1_000_000, `${blocks} blocks`);
  assert((await buffer(await store.open(url, { signal }))).equals(Buffer.concat(chunks)));
  assert.deepEqual(metadata, note);
});
