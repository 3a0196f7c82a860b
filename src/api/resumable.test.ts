// Uploads that can be continued, over HTTP: headers, statuses, and that nothing of it is there unless the operator turned it on.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { startApi, type TestApi } from "./testing/api-server.ts";

const owner = { "x-auth-token": "u:p1:member" };
const whole = { ...owner, "content-type": "application/octet-stream" };
const part = { ...owner, "content-type": "application/partial-upload" };

async function startResumable(t: TestContext, resumableSeconds: number | null = 600): Promise<TestApi> {
  const api = await startApi({ flavor: "fakeauth", release: "2026.1", images: { resumableSeconds } });
  t.after(async () => {
    await api[Symbol.asyncDispose]();
    rmSync(api.fixture.partsFolder, { recursive: true, force: true });
  });
  return api;
}

async function newImage(api: TestApi): Promise<string> {
  const body = JSON.stringify({ disk_format: "raw", container_format: "bare" });
  const response = await fetch(`${api.url}/v2/images`, { method: "POST", headers: owner, body });
  assert.equal(response.status, 201);
  return ((await response.json()) as { id: string }).id;
}

type Call = { method: string; headers: Record<string, string>; body?: Buffer };

async function call(url: string, { body, ...rest }: Call) {
  const response = await fetch(url, { ...rest, ...(body ? { body: new Uint8Array(body) } : {}) });
  const header = (name: string) => response.headers.get(name);
  const [offset, complete] = [header("upload-offset"), header("upload-complete")];
  return { status: response.status, offset, complete, header, text: await response.text() };
}

test("resumable API: parts by PUT and PATCH, the offset by HEAD, and a mismatch that says where to go on", async (t) => {
  const api = await startResumable(t);
  const id = await newImage(api);
  const url = `${api.url}/v2/images/${id}/file`;
  const data = randomBytes(300_000);
  assert.equal((await call(url, { method: "HEAD", headers: owner })).status, 404);
  const begun = await call(url, {
    method: "PUT",
    headers: { ...whole, "upload-complete": "?0", "upload-length": "300000" },
    body: data.subarray(0, 100_000),
  });
  assert.deepEqual([begun.status, begun.offset, begun.complete], [201, "100000", "?0"]);
  assert.equal(begun.header("location"), url);
  assert.match(begun.header("upload-limit") ?? "", /^max-size=\d+, max-age=600$/);
  const asked = await call(url, { method: "HEAD", headers: owner });
  assert.deepEqual([asked.status, asked.offset, asked.complete], [204, "100000", "?0"]);
  assert.equal(asked.header("cache-control"), "no-store");
  const rest = data.subarray(100_000);
  const wrong = await call(url, {
    method: "PATCH",
    headers: { ...part, "upload-complete": "?1", "upload-offset": "99999" },
    body: rest,
  });
  assert.deepEqual([wrong.status, wrong.offset], [409, "100000"]);
  const headers = { ...part, "upload-complete": "?1", "upload-offset": "100000" };
  const done = await call(url, { method: "PATCH", headers, body: rest });
  assert.deepEqual([done.status, done.offset, done.complete], [204, "300000", "?1"]);
  const shown = (await (await fetch(`${api.url}/v2/images/${id}`, { headers: owner })).json()) as Record<
    string,
    unknown
  >;
  assert.equal(shown.status, "active");
  assert.equal(shown.checksum, createHash("md5").update(data).digest("hex"));
  assert.equal(shown.os_hash_value, createHash("sha512").update(data).digest("hex"));
  const after = await call(url, { method: "HEAD", headers: owner });
  assert.deepEqual([after.status, after.offset, after.complete], [204, "300000", "?1"]);
  assert.equal((await call(url, { method: "PATCH", headers, body: rest })).status, 404);
});

test("resumable API: requests that say too little, or belong to others, change nothing", async (t) => {
  const api = await startResumable(t);
  const url = `${api.url}/v2/images/${await newImage(api)}/file`;
  const body = Buffer.from("x");
  assert.equal((await call(url, { method: "PUT", headers: { ...whole, "upload-complete": "?0" }, body })).status, 201);
  const goOn = (headers: Record<string, string>) => call(url, { method: "PATCH", headers, body });
  const offset = { "upload-offset": "1" };
  assert.equal((await goOn({ ...whole, ...offset, "upload-complete": "?1" })).status, 415);
  assert.equal((await goOn({ ...part, ...offset })).status, 400);
  assert.equal((await goOn({ ...part, ...offset, "upload-complete": "yes" })).status, 400);
  assert.equal((await goOn({ ...part, "upload-complete": "?1" })).status, 400);
  const stranger = { "x-auth-token": "u:p2:member" };
  assert.equal((await call(url, { method: "HEAD", headers: stranger })).status, 404);
  assert.equal((await call(url, { method: "DELETE", headers: stranger })).status, 404);
  const plain = await call(url, { method: "PUT", headers: whole, body });
  assert.equal(plain.status, 409, "a plain upload does not take its place");
  assert.equal((await call(url, { method: "HEAD", headers: owner })).offset, "1");
  assert.equal((await call(url, { method: "DELETE", headers: owner })).status, 204);
  assert.equal((await call(url, { method: "PUT", headers: whole, body })).status, 204);
});

test("resumable API: a node without it takes the same PUT as a plain upload and knows no other call", async (t) => {
  const api = await startResumable(t, null);
  const url = `${api.url}/v2/images/${await newImage(api)}/file`;
  for (const method of ["HEAD", "PATCH", "DELETE"])
    assert.equal((await call(url, { method, headers: owner })).status, 405);
  const headers = { ...whole, "upload-complete": "?1" };
  const done = await call(url, { method: "PUT", headers, body: Buffer.from("data") });
  assert.deepEqual([done.status, done.offset, done.complete], [204, null, null]);
});
