// The cache over HTTP: under /v2/cache from Yoga on, under the older paths where the pipeline has them, and only for who may.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { FileCache } from "../cache/file-cache.ts";
import { TestCache } from "../cache/testing/test-cache.ts";
import type { ReleaseId } from "../releases/catalogue.ts";
import { startApi } from "./testing/api-server.ts";

const admin = { "x-auth-token": "boss:ops:admin" };
const data = Buffer.alloc(300_000, "image");

async function setUp(release: ReleaseId, cache?: FileCache, olderCacheRoutes = false) {
  const settings = { olderCacheRoutes };
  const api = await startApi({ release, flavor: "fakeauth", settings, ...(cache ? { cache } : {}) });
  const call = async (method: string, path: string, headers: Record<string, string> = {}, body?: string | Buffer) => {
    const init = { method, headers: { ...admin, ...headers }, ...(body === undefined ? {} : { body }) };
    const response = await fetch(`${api.url}/v2${path}`, init as RequestInit);
    const text = await response.text();
    return { status: response.status, text, json: response.ok && text.startsWith("{") ? JSON.parse(text) : null };
  };
  const create = async (withData: boolean) => {
    const made = JSON.stringify({ disk_format: "raw", container_format: "bare" });
    const { id } = (await call("POST", "/images", { "content-type": "application/json" }, made)).json;
    if (withData) await call("PUT", `/images/${id}/file`, { "content-type": "application/octet-stream" }, data);
    return id as string;
  };
  return { api, call, create };
}

test("cache API: lists what downloads have left there, and takes it out", async () => {
  await using place = await TestCache.make();
  const cache = await place.open();
  const { api, call, create } = await setUp("yoga", cache);
  await using _ = api;
  const id = await create(true);
  assert.deepEqual((await call("GET", "/cache")).json, { cached_images: [], queued_images: [] });
  assert.equal((await call("GET", `/images/${id}/file`)).status, 200);
  await cache.idle();
  assert.equal((await call("GET", `/images/${id}/file`)).text.length, data.length);
  await cache.idle();
  const [shown] = (await call("GET", "/cache")).json.cached_images;
  assert.deepEqual(Object.keys(shown).sort(), ["hits", "image_id", "last_accessed", "last_modified", "size"]);
  assert.deepEqual([shown.image_id, shown.hits, shown.size], [id, 1, data.length]);
  assert(Math.abs(shown.last_accessed - Date.now() / 1000) < 60);
  assert.equal((await call("DELETE", `/cache/${id}`)).status, 204);
  assert.deepEqual((await call("GET", "/cache")).json.cached_images, []);
  assert.equal((await call("DELETE", `/cache/${id}`)).status, 204, "known to the database");
  assert.equal((await call("DELETE", `/cache/${randomUUID()}`)).status, 404);
  assert.equal((await call("DELETE", "/cache/..%2f..%2fetc")).status, 404);
});

test("cache API: queues active images alone, and clears by target", async () => {
  await using place = await TestCache.make();
  const cache = await place.open();
  const { api, call, create } = await setUp("2026.1", cache);
  await using _ = api;
  const [active, cached, queued] = [await create(true), await create(true), await create(false)];
  assert.equal((await call("PUT", `/cache/${active}`)).status, 202);
  assert.equal((await call("PUT", `/cache/${queued}`)).status, 400);
  assert.equal((await call("PUT", `/cache/${randomUUID()}`)).status, 404);
  await call("GET", `/images/${cached}/file`);
  await cache.idle();
  const content = async () => {
    const { cached_images, queued_images } = (await call("GET", "/cache")).json;
    return [cached_images.map(({ image_id }: { image_id: string }) => image_id), queued_images];
  };
  assert.deepEqual(await content(), [[cached], [active]]);
  const clear = (target: string) => call("DELETE", "/cache", { "x-image-cache-clear-target": target });
  assert.equal((await clear("everything")).status, 400);
  assert.equal((await clear("cache")).status, 204);
  assert.deepEqual(await content(), [[], [active]]);
  assert.equal((await clear("queue")).status, 204);
  assert.deepEqual(await content(), [[], []]);
  assert.equal((await call("DELETE", "/cache")).status, 204);
});

test("cache API: 403 for who is no admin, then 404 where nothing is cached, and no such path before Yoga", async () => {
  const { api, call } = await setUp("yoga");
  await using _ = api;
  const member = { "x-auth-token": "alice:project:member" };
  for (const [method, path] of [
    ["GET", "/cache"],
    ["DELETE", "/cache"],
    ["PUT", `/cache/${randomUUID()}`],
    ["DELETE", `/cache/${randomUUID()}`],
  ] as const) {
    assert.equal((await call(method, path, member)).status, 403);
    assert.equal((await call(method, path)).status, 404);
    const older = await setUp("xena");
    assert.equal((await older.call(method, path, member)).status, 404);
    await older.api[Symbol.asyncDispose]();
  }
  assert.equal((await call("GET", "/cached_images")).status, 404);
});

test("older cache paths: where the pipeline has them, in any release, with the answers of old", async () => {
  await using place = await TestCache.make();
  const cache = await place.open();
  const { api, call, create } = await setUp("newton", cache, true);
  await using _ = api;
  const [id, other] = [await create(true), await create(true)];
  assert.deepEqual(await call("PUT", `/queued_images/${id}`), { status: 200, text: "null", json: null });
  assert.deepEqual((await call("GET", "/queued_images")).json, { queued_images: [id] });
  assert.equal((await call("DELETE", `/queued_images/${id}`)).text, "null");
  await call("PUT", `/queued_images/${other}`);
  assert.deepEqual((await call("DELETE", "/queued_images")).json, { num_deleted: 1 });
  await call("GET", `/images/${id}/file`);
  await cache.idle();
  assert.equal((await call("GET", "/cached_images")).json.cached_images[0].image_id, id);
  assert.equal((await call("DELETE", `/cached_images/${id}`)).status, 200);
  assert.deepEqual((await call("DELETE", "/cached_images")).json, { num_deleted: 0 });
  assert.equal((await call("GET", "/cached_images", { "x-auth-token": "alice:project:member" })).status, 403);
});
