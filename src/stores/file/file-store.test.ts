import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { type ErrorCode, isServiceError } from "../../core/errors.ts";
import { returnPiece } from "../../core/lent-pieces.ts";
import { storeConformance } from "../testing/store-conformance.ts";
import { openFileStore } from "./file-store.ts";

const signal = new AbortController().signal;
const id = "11111111-2222-4333-8444-555555555555";
const withCode = (code: ErrorCode) => (error: unknown) => isServiceError(error, code);

async function openStore(filePermissions: number | null = null) {
  const root = await mkdtemp(join(tmpdir(), "perennial-file-store-"));
  const directory = join(root, "images");
  const store = await openFileStore({ dataDirectory: directory, filePermissions, readBytes: 65_536 });
  const contents = async () =>
    (await readdir(directory, { recursive: true })).filter((name) => name !== ".perennial-partial");
  return { store, root, directory, contents, close: () => rm(root, { recursive: true }) };
}

storeConformance("file store", openStore);

test("file store: a blob lies where the reference expects it, with the permissions asked for", async (t) => {
  const { store, directory, close } = await openStore(0o640);
  t.after(close);
  const { url } = await store.put(id, Readable.from([Buffer.from("qcow2")]), { signal });
  assert.equal(url, `file://${directory}/${id}`);
  assert.equal(await readFile(join(directory, id), "utf8"), "qcow2");
  assert.equal((await stat(join(directory, id))).mode & 0o777, 0o640);
  assert.equal((await stat(join(directory, id))).nlink, 1, "no second name of the data stays behind");
});

test("file store: partial data of a killed put is found and removed", async (t) => {
  const { store, directory, contents, close } = await openStore();
  t.after(close);
  await mkdir(join(directory, ".perennial-partial"));
  await writeFile(join(directory, ".perennial-partial", `${id}.0b5c`), "half of an im");
  await writeFile(join(directory, ".perennial-partial", "other-image.0b5c"), "of another upload");
  await store.remove(store.locationFor(id));
  assert.deepEqual(await contents(), [".perennial-partial/other-image.0b5c"]);
});

test("file store: a put killed between publishing and tidying up leaves nothing after remove", async (t) => {
  const { store, directory, contents, close } = await openStore();
  t.after(close);
  await store.put(id, Readable.from([Buffer.from("data")]), { signal });
  await link(join(directory, id), join(directory, ".perennial-partial", `${id}.1a2b`));
  await store.remove(store.locationFor(id));
  assert.deepEqual(await contents(), []);
});

test("file store: nothing outside the data directory is read, whatever a location says", async (t) => {
  const { store, root, directory, close } = await openStore();
  t.after(close);
  await writeFile(join(root, "secret"), "secret");
  await symlink(join(root, "secret"), join(directory, "linked"));
  await symlink(root, join(directory, "folder"));
  await mkdir(join(directory, "sub"));
  for (const url of [
    `file://${directory}/linked`,
    `file://${directory}/folder/secret`,
    `file://${directory}/../secret`,
    `file://${directory}/sub/../../secret`,
    `file://${root}/secret`,
    `file://localhost${root}/secret`,
    `file://${directory}/.perennial-partial`,
    `file://${directory}/sub`,
    `file://${directory}/`,
    `file://${directory}`,
    `file://${directory}/%2e%2e/secret`,
    `file://${directory}/a\0b`,
    "file:relative",
    "file://",
  ])
    await assert.rejects(store.open(url, { signal }), withCode("stores.blob_not_found"), url);
  for (const url of [`file://${root}/secret`, `file://${directory}/../secret`])
    await assert.rejects(store.remove(url), withCode("stores.blob_not_found"), url);
  assert.equal(await readFile(join(root, "secret"), "utf8"), "secret");
});

test("file store: a data directory reached by another name is the same one", async (t) => {
  const { store, root, directory, close } = await openStore();
  t.after(close);
  await store.put(id, Readable.from([Buffer.from("data")]), { signal });
  await symlink(directory, join(root, "alias"));
  assert.equal(await store.size(`file://${root}/alias/${id}`), 4);
  assert.equal(await store.size(`filesystem://${directory}//${id}`), 4);
  const alias = await openFileStore({ dataDirectory: join(root, "alias/"), filePermissions: null, readBytes: 1 });
  assert.equal(await alias.size(`file://${directory}/${id}`), 4);
});

test("file store: data that became shorter is an error, never a silent end", async (t) => {
  const { store, directory, close } = await openStore();
  t.after(close);
  const { url } = await store.put(id, Readable.from([Buffer.alloc(3_000_000)]), { signal });
  const stream = await store.open(url, { signal });
  await truncate(join(directory, id), 600_000);
  await assert.rejects(buffer(stream), withCode("stores.unavailable"));
  await assert.rejects(store.open(url, { signal, range: { start: 0, end: 700_000 } }), withCode("stores.unavailable"));
});

test("file store: a data directory that goes away is not made anew, and comes back", async (t) => {
  const { store, root, directory, close } = await openStore();
  t.after(close);
  await rename(directory, join(root, "unmounted"));
  await assert.rejects(store.put(id, Readable.from([Buffer.from("x")]), { signal }), withCode("stores.unavailable"));
  await assert.rejects(stat(directory));
  await assert.rejects(store.remove(store.locationFor(id)), withCode("stores.unavailable"));
  await rename(join(root, "unmounted"), directory);
  await store.put(id, Readable.from([Buffer.from("x")]), { signal });
});

test("file store: a full disk is stores.full, a read-only one stores.read_only; both leave nothing", async (t) => {
  const { root, directory, contents, close } = await openStore();
  t.after(() => {
    spawnSync("umount", ["--lazy", directory]);
    return close();
  });
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m", "perennial-test", directory]).status === 0;
  if (!mounted) return t.skip("this machine does not let us mount a small file system: that takes root");
  const store = await openFileStore({ dataDirectory: directory, filePermissions: null, readBytes: 1 });
  const large = () => Readable.from([Buffer.alloc(1_500_000), Buffer.alloc(1_500_000)]);
  await assert.rejects(store.put(id, large(), { signal }), withCode("stores.full"));
  assert.deepEqual(await contents(), []);
  await assert.rejects(store.put(id, large(), { signal, expectedBytes: 3_000_000 }), withCode("stores.full"));

  const { url } = await store.put(id, Readable.from([Buffer.alloc(1_500_000)]), { signal });
  assert.equal(spawnSync("mount", ["-o", "remount,ro", directory]).status, 0, `remount below ${root}`);
  await assert.rejects(store.put("other", Readable.from([Buffer.alloc(10)]), { signal }), withCode("stores.read_only"));
  await assert.rejects(store.remove(url), withCode("stores.read_only"));
  assert.equal(await store.size(url), 1_500_000);
});

test("file store: data that something has mounted is in use and stays, until it is let go", async (t) => {
  const { store, directory, contents, close } = await openStore();
  const { url } = await store.put(id, Readable.from([Buffer.from("x")]), { signal });
  const file = join(directory, id);
  t.after(() => {
    spawnSync("umount", ["--lazy", file]);
    return close();
  });
  if (spawnSync("mount", ["--bind", file, file]).status !== 0)
    return t.skip("this machine does not let us mount: that takes root");
  await assert.rejects(store.remove(url), withCode("stores.in_use"));
  assert.deepEqual(await contents(), [id]);
  assert.equal(spawnSync("umount", [file]).status, 0);
  await store.remove(url);
  assert.deepEqual(await contents(), []);
});

test("file store: a data directory that cannot be is a configuration error", async (t) => {
  const { root, close } = await openStore();
  t.after(close);
  await writeFile(join(root, "file"), "");
  await assert.rejects(
    openFileStore({ dataDirectory: join(root, "file"), filePermissions: null, readBytes: 1 }),
    withCode("config.invalid"),
  );
});

test("file store: pieces that are given back are filled again, and no byte is another's", async (t) => {
  const { store, close } = await openStore();
  t.after(close);
  const data = Buffer.alloc(9_000_001, (await readFile(process.execPath)).subarray(0, 7_919));
  const { url } = await store.put(id, Readable.from([data]), { signal });
  const memory = new Set<ArrayBufferLike>();
  let position = 0;
  for await (const piece of (await store.open(url, { signal })) as AsyncIterable<Buffer>) {
    assert(piece.equals(data.subarray(position, position + piece.length)), `bytes at ${position}`);
    position += piece.length;
    memory.add(piece.buffer);
    returnPiece(piece);
    // A second return of the same piece would let two reads fill one memory.
    returnPiece(piece);
  }
  assert.equal(position, data.length);
  assert(memory.size <= 3, `${memory.size} pieces of memory for one stream`);
});
