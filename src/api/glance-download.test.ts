// Images fetched from another region, which is a second node of ours with a database and a store of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../test/servers/eventually.ts";
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

async function create(api: TestApi, body: object): Promise<string> {
  const init = { method: "POST", headers: owner, body: JSON.stringify(body) };
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

test("glance-download: what the caller may not see there, or is not active, is refused and changes nothing", async () => {
  await using west = await startApi({ flavor: "fakeauth", release: "2026.1" });
  await using api = await here(regionAt(west));
  const remote = await remoteImage(west);
  const queued = await create(west, { disk_format: "raw", container_format: "bare" });
  const id = await create(api, { disk_format: "raw", container_format: "bare" });
  const west_ = { glance_region: "west" };
  for (const [method, status] of [
    [{}, 400],
    [{ glance_region: "", glance_image_id: remote }, 400],
    [{ glance_region: "west" }, 400],
    [{ ...west_, glance_image_id: "no id" }, 400],
    [{ ...west_, glance_image_id: remote, glance_service_interface: "private" }, 400],
    [{ glance_region: "east", glance_image_id: remote }, 400],
    [{ ...west_, glance_image_id: unknown }, 502],
    [{ ...west_, glance_image_id: queued }, 409],
  ] as const)
    assert.equal(await download(api, id, method), status, JSON.stringify(method));
  const foreign = { "x-auth-token": "u:p2:member,reader" };
  const theirs = await fetch(`${api.url}/v2/images`, {
    method: "POST",
    headers: foreign,
    body: JSON.stringify({ disk_format: "raw", container_format: "bare" }),
  });
  const { id: theirId } = (await theirs.json()) as { id: string };
  assert.equal(await download(api, theirId, { ...west_, glance_image_id: remote }, foreign), 502, "not theirs there");
  assert.equal(api.fixture.database.tasks.size, 0);
  assert.equal(api.fixture.database.live(id)?.status, "queued");
});

test("glance-download: a region that may not be imported from, formats unknown here, and no catalog are 400", async () => {
  await using west = await startApi({ flavor: "fakeauth", release: "2026.1" });
  const remote = await remoteImage(west);
  const method = { glance_region: "west", glance_image_id: remote };
  const raw = { disk_format: "raw", container_format: "bare" };
  await using filtered = await here(regionAt(west), "2026.1", ["elsewhere.example"]);
  assert.equal(await download(filtered, await create(filtered, raw), method), 400);
  await using without = await here(null);
  assert.equal(await download(without, await create(without, raw), method), 400);
  await using older = await here(regionAt(west), "zed");
  west.fixture.database.write(remote, { diskFormat: "strange" });
  const id = await create(older, raw);
  assert.equal(await download(older, id, method), 400);
  assert.equal(older.fixture.database.live(id)?.status, "queued");
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
    ["zed", 502],
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
