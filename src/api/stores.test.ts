// Several stores over HTTP: what is there in which release, the header that chooses one, and what answers tell of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceError } from "../core/errors.ts";
import { formats, keepingStore, namedStores } from "../images/testing/fixture.ts";
import { type ReleaseId, releases } from "../releases/catalogue.ts";
import { startApi, type TestApi } from "./testing/api-server.ts";

const octets = { "content-type": "application/octet-stream" };

const post = (api: TestApi, body: object) =>
  fetch(`${api.url}/v2/images`, { method: "POST", body: JSON.stringify(body) });

test("API stores: calls are there from the release on that brought them, and 404 before, and without several stores", async () => {
  const since = (id: ReleaseId) => releases.findIndex((release) => release.id === id);
  for (const release of ["queens", "rocky", "train", "ussuri", "xena", "yoga", "2026.1"] as const) {
    await using api = await startApi({ release, stores: namedStores(["fast", "cheap"]) });
    await using single = await startApi({ release });
    for (const [path, from] of [
      ["/v2/info/stores", "rocky"],
      ["/v2/info/stores/detail", "yoga"],
    ] as const) {
      const there = since(release) >= since(from);
      assert.equal((await fetch(`${api.url}${path}`)).status, there ? 200 : 404, `${release} ${path}`);
      assert.equal((await fetch(`${single.url}${path}`)).status, 404, `${release} ${path}, one store`);
      const wrong = await fetch(`${single.url}${path}`, { method: "PUT" });
      assert.equal(wrong.status, there ? 405 : 404, `${release} PUT ${path}`);
    }
    const path = "/v2/stores/fast/00000000-0000-4000-8000-000000000000";
    assert.equal((await fetch(`${api.url}${path}`)).status, since(release) >= since("ussuri") ? 405 : 404, release);
    assert.equal((await fetch(`${api.url}${path}`, { method: "DELETE" })).status, 404, release);
    const ids = (await post(api, {})).headers.get("openstack-image-store-ids");
    assert.equal(ids, since(release) >= since("rocky") ? "fast,cheap" : null, release);
    assert.equal((await post(single, {})).headers.get("openstack-image-store-ids"), null);
  }
});

test("API stores: the list tells flags as strings, and only where they are true", async () => {
  const stores = namedStores(["fast", "cheap"], { cheap: { description: "disks", weight: 2 } });
  await using api = await startApi({ release: "2026.1", stores });
  const list = await (await fetch(`${api.url}/v2/info/stores`)).json();
  assert.deepEqual(list, {
    stores: [
      { id: "fast", default: "true" },
      { id: "cheap", description: "disks" },
    ],
  });
  const detail = await (await fetch(`${api.url}/v2/info/stores/detail`)).json();
  assert.deepEqual(detail, {
    stores: [
      { id: "fast", default: "true", type: "memory", weight: 0, properties: {} },
      { id: "cheap", description: "disks", type: "memory", weight: 2, properties: {} },
    ],
  });
});

test("API stores: X-Image-Meta-Store chooses the store, an unknown one is 400, and the image names it", async () => {
  await using api = await startApi({ release: "2026.1", stores: namedStores(["fast", "cheap"]) });
  const { id } = (await (await post(api, formats)).json()) as { id: string };
  const upload = (store: string) =>
    fetch(`${api.url}/v2/images/${id}/file`, {
      method: "PUT",
      headers: { ...octets, "x-image-meta-store": store },
      body: "data",
    });
  assert.equal((await upload("nowhere")).status, 400);
  assert.equal((await upload("cheap")).status, 204);
  const image = (await (await fetch(`${api.url}/v2/images/${id}`)).json()) as Record<string, unknown>;
  assert.deepEqual([image.status, image.stores], ["active", "cheap"]);
  assert.equal((await fetch(`${api.url}/v2/stores/cheap/${id}`, { method: "DELETE" })).status, 403);
  assert.equal((await fetch(`${api.url}/v2/stores/fast/${id}`, { method: "DELETE" })).status, 404);
  assert.equal((await fetch(`${api.url}/v2/stores/nowhere/${id}`, { method: "DELETE" })).status, 409);
});

test("API stores: deleting an image is 409 while its data is in use, and 403 where the store forbids it", async () => {
  let refusal: ServiceError | null = new ServiceError("stores.in_use", "The data is in use.");
  const stores = namedStores(["fast"]).map((named) => ({ ...named, store: keepingStore(named.store, () => refusal) }));
  await using api = await startApi({ release: "2026.1", stores });
  const { id } = (await (await post(api, formats)).json()) as { id: string };
  const url = `${api.url}/v2/images/${id}`;
  assert.equal((await fetch(`${url}/file`, { method: "PUT", headers: octets, body: "some data" })).status, 204);
  const remove = async () => (await fetch(url, { method: "DELETE" })).status;
  assert.equal(await remove(), 409);
  refusal = new ServiceError("stores.read_only", "The account may not do that.");
  assert.equal(await remove(), 403);
  assert.equal(((await (await fetch(url)).json()) as { status: string }).status, "active");
  refusal = null;
  assert.equal(await remove(), 204);
  assert.equal((await fetch(url)).status, 404);
});
