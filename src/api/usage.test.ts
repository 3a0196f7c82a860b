// GET /v2/info/usage over HTTP, from the release on that brought it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi } from "./testing/api-server.ts";

test("api: info/usage answers what the project has and may have, from Yoga on", async () => {
  const usage = { image_count_total: { usage: 1, limit: 2 } };
  for (const [release, status] of [
    ["xena", 404],
    ["yoga", 200],
    ["2026.1", 200],
  ] as const) {
    await using api = await startApi({
      release,
      replace: (services) => ({ images: { ...services.images, usage: async () => usage } }),
    });
    const response = await fetch(`${api.url}/v2/info/usage`);
    assert.equal(response.status, status, release);
    if (status === 200) assert.deepEqual(await response.json(), { usage });
  }
});

test("api: without Keystone's limits info/usage is empty, and only GET is possible", async () => {
  await using api = await startApi({ release: "2026.1" });
  assert.deepEqual(await (await fetch(`${api.url}/v2/info/usage`)).json(), { usage: {} });
  assert.equal((await fetch(`${api.url}/v2/info/usage`, { method: "DELETE" })).status, 405);
});
