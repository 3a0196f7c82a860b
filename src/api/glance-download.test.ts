// Images fetched from another region, which is a second node of ours with a database and a store of its own.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { eventually } from "../../test/servers/eventually.ts";
import { ServiceError } from "../core/errors.ts";
import type { Regions } from "../images/import/remote-image.ts";
import { importSettingsOf } from "../images/testing/fixture.ts";
import { type ReleaseId, releaseOf } from "../releases/catalogue.ts";
import { startApi, type TestApi } from "./testing/api-server.ts";

const owner = { "x-auth-token": "u:p1:member,reader" };
const data = "the data of an image elsewhere";
const unknown = "11111111-1111-4111-8111-111111111111";

const here = (regions: Regions | null, release: ReleaseId = "2026.1", hosts: readonly string[] = ["127.0.0.1"]) => {
  const base = importSettingsOf(releaseOf(release).capabilities);
  const uriRules = { ...base.uriRules, hosts: { allowed: hosts, disallowed: [] } };
  const importing = { methods: releaseOf(release).capabilities.importMethods, uriRules };
  return startApi({ flavor: "fakeauth", release, importing, ...(regions ? { regions } : {}) });
};

async function create(api: TestApi, body: object, headers: Record<string, string> = owner): Promise<string> {
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(`${api.url}/v2/images`, init);
  assert.equal(response.status, 201);
  return ((await response.json()) as { id: string }).id;
}

async function remoteImage(api: TestApi, more: object = {}): Promise<string> {
  const id = await create(api, { disk_format: "iso", container_format: "ovf", hw_disk_bus: "scsi", ...more });
  const headers = { ...owner, "content-type": "application/octet-stream" };
  const response = await fetch(`${api.url}/v2/images/${id}/file`, { method: "PUT", headers, body: data });
  assert.equal(response.status, 204);
  return id;
}

async function download(api: TestApi, id: string, method: object, headers: Record<string, string> = owner) {
  const body = JSON.stringify({ method: { name: "glance-download", ...method } });
  const response = await fetch(`${api.url}/v2/images/${id}/import`, { method: "POST", headers, body });
  await eventually("imports are through", () => api.fixture.transfers.snapshot().length === 0);
  return response.status;
}

/** One region, and what was asked for. */
function regionAt(api: TestApi, asked: object[] = []): Regions {
  return {
    async imageEndpoint(question) {
      asked.push(question);
      return question.region.toLowerCase() === "west" ? api.url : null;
    },
  };
}

test("glance-download: the data comes with its formats and the properties the operator wants, by the caller's own token", async () => {
  await using west = await startApi({ flavor: "fakeauth", release: "2026.1" });
  const asked: object[] = [];
  await using api = await here(regionAt(west, asked));
  const remote = await remoteImage(west, { os_distro: "debian", secret: "stays", os_distribution: "no such" });
  const id = await create(api, { disk_format: "raw", container_format: "bare", kept: "1" });
  assert.equal(await download(api, id, { glance_region: "West", glance_image_id: remote.toUpperCase() }), 202);
  const image = api.fixture.database.live(id);
  assert.deepEqual(
    [image?.status, image?.diskFormat, image?.containerFormat, image?.sizeBytes],
    ["active", "iso", "ovf", data.length],
  );
  const { os_glance_importing_to_stores, os_glance_failed_import, ...properties } = image?.properties ?? {};
  assert.deepEqual(properties, { kept: "1", hw_disk_bus: "scsi", os_distro: "debian" });
  assert.equal(await (await fetch(`${api.url}/v2/images/${id}/file`, { headers: owner })).text(), data);
  assert.deepEqual(asked, [{ token: owner["x-auth-token"], region: "West", serviceInterface: "public" }]);
  const tasks = JSON.stringify([...api.fixture.database.tasks.values()].map(({ input }) => input));
  assert(!tasks.includes(owner["x-auth-token"]), "a token is written down nowhere");
});

test("glance-download: a request without a region, an image's id or a known interface is refused, and changes nothing", async () => {
  await using west = await startApi({ flavor: "fakeauth", release: "2026.1" });
  await using api = await here(regionAt(west));
  const id = await create(api, { disk_format: "raw", container_format: "bare" });
  for (const method of [
    {},
    { glance_region: "", glance_image_id: unknown },
    { glance_region: "west" },
    { glance_region: "west", glance_image_id: "no id" },
    { glance_region: "west", glance_image_id: unknown, glance_service_interface: "private" },
  ])
    assert.equal(await download(api, id, method), 400, JSON.stringify(method));
  assert.equal(api.fixture.database.tasks.size, 0);
  assert.equal(api.fixture.database.live(id)?.status, "queued");
});

/** Its task failed with `reason`, and the image can be imported again. */
function assertFailed(api: TestApi, id: string, reason: RegExp): void {
  const image = api.fixture.database.live(id);
  const { status, diskFormat, properties } = image ?? {};
  assert.deepEqual([status, diskFormat, properties?.os_glance_import_task], ["queued", "raw", undefined]);
  const task = [...api.fixture.database.tasks.values()].find(({ imageId }) => imageId === id);
  assert.equal(task?.status, "failure");
  assert.match(task?.message ?? "", reason);
}

test("glance-download: no such region, what the caller may not see there, and what is not active end the task, after the answer", async () => {
  await using west = await startApi({ flavor: "fakeauth", release: "2026.1" });
  await using api = await here(regionAt(west));
  const raw = { disk_format: "raw", container_format: "bare" };
  const remote = await remoteImage(west);
  const queued = await create(west, raw);
  const foreign = { "x-auth-token": "u:p2:member,reader" };
  for (const { region = "west", image, by = owner, reason } of [
    { region: "east", image: remote, reason: /no public endpoint .*"east"/ },
    { image: unknown, reason: /answered 404/ },
    { image: queued, reason: /is queued, not active/ },
    { image: remote, by: foreign, reason: /answered 404/ },
  ]) {
    const id = await create(api, raw, by);
    assert.equal(await download(api, id, { glance_region: region, glance_image_id: image }, by), 202, String(reason));
    assertFailed(api, id, reason);
  }
});

test("glance-download: a region that may not be imported from, formats unknown here, no catalog and no Keystone end the task", async () => {
  await using west = await startApi({ flavor: "fakeauth", release: "2026.1" });
  const remote = await remoteImage(west);
  const method = { glance_region: "west", glance_image_id: remote };
  const strange = await remoteImage(west);
  west.fixture.database.write(strange, { diskFormat: "strange" });
  const away: Regions = {
    imageEndpoint: async () => {
      throw new ServiceError("identity.unavailable", "Keystone does not answer.");
    },
  };
  for (const { open, asked = method, reason } of [
    { open: () => here(regionAt(west), "2026.1", ["elsewhere.example"]), reason: /may not be imported from/ },
    { open: () => here(null), reason: /no public endpoint/ },
    {
      open: () => here(regionAt(west), "zed"),
      asked: { ...method, glance_image_id: strange },
      reason: /disk_format there/,
    },
    { open: () => here(away), reason: /Keystone does not answer/ },
  ]) {
    await using api = await open();
    const id = await create(api, { disk_format: "raw", container_format: "bare" });
    assert.equal(await download(api, id, asked), 202, String(reason));
    assertFailed(api, id, reason);
  }
});

test("glance-download: an image service there that answers nonsense ends the task", async () => {
  for (const { answer, reason } of [
    { answer: "no json", reason: /broke off, or is none/ },
    { answer: "[]", reason: /is no image/ },
    { answer: JSON.stringify({ status: "active", disk_format: "raw", container_format: "bare" }), reason: /no size/ },
    { answer: " ".repeat(2 ** 20 + 1), reason: /too long/ },
  ]) {
    const server = createServer((_, response) => response.end(answer)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await using api = await here({ imageEndpoint: async () => `http://127.0.0.1:${port}` });
    const id = await create(api, { disk_format: "raw", container_format: "bare" });
    assert.equal(await download(api, id, { glance_region: "west", glance_image_id: unknown }), 202);
    server.close();
    assertFailed(api, id, reason);
  }
});

test("glance-download: data that goes missing there leaves a queued image as it was", async () => {
  await using west = await startApi({ flavor: "fakeauth", release: "2026.1" });
  await using api = await here(regionAt(west));
  const remote = await remoteImage(west, { os_distro: "debian" });
  for (const { url } of west.fixture.database.live(remote)?.locations ?? []) await west.fixture.store.remove(url);
  const id = await create(api, { disk_format: "raw", container_format: "bare" });
  assert.equal(await download(api, id, { glance_region: "west", glance_image_id: remote }), 202);
  const image = api.fixture.database.live(id);
  assert.deepEqual([image?.status, image?.diskFormat, image?.properties.os_distro], ["queued", "raw", undefined]);
  assert.equal([...api.fixture.database.tasks.values()][0]?.status, "failure");
});

test("glance-download: it is there from Zed on, where the operator names it", async () => {
  for (const [release, status] of [
    ["yoga", 400],
    ["zed", 202],
  ] as const) {
    await using west = await startApi({ flavor: "fakeauth", release: "2026.1" });
    await using api = await here(regionAt(west), release);
    const id = await create(api, { disk_format: "raw", container_format: "bare" });
    const method = { glance_region: "west", glance_image_id: unknown };
    assert.equal(await download(api, id, method), status, release);
  }
  const { importMethods, importMethodsDefault } = releaseOf("2026.1").capabilities;
  assert(importMethods.includes("glance-download") && !importMethodsDefault.includes("glance-download"));
});
