// Parts of uploads as files.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import { PartFiles } from "./part-files.ts";

const image = "3f0b2a52-9d3c-4f0e-8f2f-0d6a8f7c2b11";
const signal = new AbortController().signal;
const unavailable = (error: unknown) => isServiceError(error, "stores.unavailable");

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "perennial-parts-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("part files: pieces of several parts are one stream, however much longer a part became", async (t) => {
  const parts = new PartFiles(folderFor(t));
  assert.deepEqual(await parts.list(), []);
  assert.equal(await parts.sees(image), false);
  await parts.prepare(image);
  assert.equal(await parts.sees(image), true);
  const data = randomBytes(1_000_000);
  const from = (start: number, end: number) => Readable.from([data.subarray(start, end)]);
  assert.equal(await parts.write(image, "a", from(0, 700_000), { signal }), 700_000);
  assert.equal(await parts.write(image, "b", from(600_000, 1_000_000), { signal }), 400_000);
  assert.deepEqual([await parts.size(image, "a"), await parts.size(image, "none")], [700_000, 0]);
  const pieces = [
    { part: "a", bytes: 600_000 },
    { part: "b", bytes: 400_000 },
  ];
  assert((await buffer(parts.read(image, pieces))).equals(data));
  assert.deepEqual(await parts.list(), [image]);
  await parts.remove(image);
  await parts.remove(image);
  assert.deepEqual(await parts.list(), []);
});

test("part files: what a source gave before it failed is kept, and its own error thrown", async (t) => {
  const parts = new PartFiles(folderFor(t));
  await parts.prepare(image);
  const gone = new ServiceError("api.client_gone", "The client went away.");
  async function* source() {
    yield Buffer.alloc(1_000, "x");
    throw gone;
  }
  const failing = Readable.from(source(), { objectMode: false });
  await assert.rejects(parts.write(image, "a", failing, { signal }), (error) => error === gone);
  assert.equal(await parts.size(image, "a"), 1_000);
  const aborted = AbortSignal.abort(gone);
  await assert.rejects(parts.write(image, "b", Readable.from([]), { signal: aborted }), (error) => error === gone);
});

test("part files: a part that lost bytes, and a folder that is gone, are told", async (t) => {
  const folder = folderFor(t);
  const parts = new PartFiles(folder);
  await assert.rejects(parts.write(image, "a", Readable.from([]), { signal }), unavailable);
  await parts.prepare(image);
  await parts.write(image, "a", Readable.from([Buffer.alloc(10)]), { signal });
  await assert.rejects(parts.write(image, "a", Readable.from([]), { signal }), unavailable, "no part is written twice");
  const [hidden = ""] = readdirSync(folder);
  assert(hidden.startsWith("."), "hidden from whoever cleans up the folder of staged data");
  truncateSync(join(folder, hidden, image, "a"), 9);
  await assert.rejects(buffer(parts.read(image, [{ part: "a", bytes: 10 }])), unavailable);
  await assert.rejects(buffer(parts.read(image, [{ part: "b", bytes: 10 }])), unavailable);
});
