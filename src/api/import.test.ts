// Staging and import over HTTP, with database, stores and staging in memory: what is answered, and what becomes of image, task and data.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { eventually } from "../../test/servers/eventually.ts";
import type { Image } from "../images/image.ts";
import { namedStores } from "../images/testing/fixture.ts";
import type { ReleaseId } from "../releases/catalogue.ts";
import { startApi, type TestApi } from "./testing/api-server.ts";

const owner = { "x-auth-token": "u:p1:member,reader" };
const octets = { ...owner, "content-type": "application/octet-stream" };
const data = Buffer.from("the data of an image");

async function newImage(api: TestApi, more: object = {}): Promise<string> {
  const body = JSON.stringify({ disk_format: "raw", container_format: "bare", ...more });
  const response = await fetch(`${api.url}/v2/images`, { method: "POST", headers: owner, body });
  assert.equal(response.status, 201);
  return ((await response.json()) as { id: string }).id;
}

async function stage(api: TestApi, id: string, body: Buffer = data): Promise<number> {
  return (await fetch(`${api.url}/v2/images/${id}/stage`, { method: "PUT", headers: octets, body })).status;
}

async function importImage(api: TestApi, id: string, body: unknown, headers: object = owner): Promise<number> {
  const init = { method: "POST", headers: { ...headers }, body: JSON.stringify(body) };
  return (await fetch(`${api.url}/v2/images/${id}/import`, init)).status;
}

const direct = { method: { name: "glance-direct" } };
const row = (api: TestApi, id: string): Image => api.fixture.database.live(id) ?? assert.fail("the image is gone");

/** When nothing is under way any more. */
async function settled(api: TestApi): Promise<void> {
  await eventually("imports are through", () => api.fixture.transfers.snapshot().length === 0);
}

const start = (release: ReleaseId, options: Parameters<typeof startApi>[0] = {}) =>
  startApi({ flavor: "fakeauth", release, ...options });

test("import: staged data becomes that of the image, with its hashes, and nothing stays in staging", async () => {
  await using api = await start("2026.1");
  const id = await newImage(api);
  assert.equal(await stage(api, id), 204);
  assert.deepEqual([row(api, id).status, row(api, id).sizeBytes], ["uploading", data.length]);
  assert.equal(await stage(api, id), 409);
  assert.equal(await importImage(api, id, direct), 202);
  await settled(api);
  const image = row(api, id);
  assert.equal(image.status, "active");
  assert.equal(image.hashValue, createHash("sha512").update(data).digest("hex"));
  assert.equal(image.virtualSizeBytes, data.length);
  assert.deepEqual(image.properties, { os_glance_importing_to_stores: "", os_glance_failed_import: "" });
  assert.deepEqual(api.fixture.staging.keys, []);
  const file = await fetch(`${api.url}/v2/images/${id}/file`, { headers: owner });
  assert.deepEqual(Buffer.from(await file.arrayBuffer()), data);
  const [task] = [...api.fixture.database.tasks.values()];
  assert.deepEqual([task?.type, task?.status, task?.result], ["api_image_import", "success", { image_id: id }]);
});

test("import: what the body or the image does not allow is refused before anything changes", async () => {
  await using api = await start("2026.1");
  const id = await newImage(api);
  for (const body of [
    [],
    {},
    { method: "glance-direct" },
    { method: { name: "nothing" } },
    { method: { name: "web-download" } },
    { method: { name: "web-download", uri: "file:///etc/passwd" } },
    { method: { name: "web-download", uri: "http://169.254.169.254/" } },
    { ...direct, all_stores: "yes" },
    { ...direct, stores: "a" },
  ])
    assert.equal(await importImage(api, id, body), 400, JSON.stringify(body));
  assert.equal(await importImage(api, id, direct), 409, "not staged");
  assert.equal(await importImage(api, "11111111-1111-4111-8111-111111111111", direct), 404);
  const bare = await newImage(api, { disk_format: null });
  assert.equal(await importImage(api, bare, { method: { name: "web-download", uri: "http://127.0.0.1/" } }), 409);
  assert.equal(await importImage(api, id, direct, { "x-auth-token": "u:p2:member,reader" }), 404);
  const wrongType = await fetch(`${api.url}/v2/images/${id}/stage`, { method: "PUT", headers: owner, body: data });
  assert.equal(wrongType.status, 415);
  assert.equal(row(api, id).status, "queued");
  assert.equal(api.fixture.database.tasks.size, 0);
});

test("import: data of another format than claimed leaves the image queued, and the task says why", async () => {
  await using api = await start("2026.1");
  const id = await newImage(api, { disk_format: "qcow2" });
  await stage(api, id);
  assert.equal(await importImage(api, id, direct), 202);
  await settled(api);
  assert.deepEqual([row(api, id).status, row(api, id).sizeBytes], ["queued", null]);
  assert.deepEqual([api.fixture.staging.keys, api.fixture.store.keys], [[], []]);
  const [task] = [...api.fixture.database.tasks.values()];
  assert.equal(task?.status, "failure");
  assert.match(task?.message ?? "", /qcow2/);
  assert.equal(await stage(api, id), 204, "and it can be tried again");
});

test("import: web-download fetches the data; one that fails leaves the image queued", async () => {
  const server = createServer((request, response) =>
    request.url === "/image" ? response.end(data) : response.writeHead(404).end(),
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await using api = await start("2026.1");
    const { port } = server.address() as AddressInfo;
    const from = (path: string) => ({ method: { name: "web-download", uri: `http://127.0.0.1:${port}${path}` } });
    const id = await newImage(api);
    assert.equal(await importImage(api, id, from("/none")), 202);
    await settled(api);
    assert.equal(row(api, id).status, "queued");
    assert.equal(await importImage(api, id, from("/image")), 202);
    await settled(api);
    assert.deepEqual([row(api, id).status, row(api, id).sizeBytes], ["active", data.length]);
  } finally {
    server.close();
  }
});

test("import: deleting a staged image takes its data along", async () => {
  await using api = await start("2026.1");
  const id = await newImage(api);
  await stage(api, id);
  assert.equal((await fetch(`${api.url}/v2/images/${id}`, { method: "DELETE", headers: owner })).status, 204);
  assert.deepEqual(api.fixture.staging.keys, []);
});

test("import: into several stores, and copies into more by an admin", async () => {
  const stores = namedStores(["one", "two", "three"]);
  await using api = await start("2026.1", { stores });
  const id = await newImage(api);
  await stage(api, id);
  assert.equal(await importImage(api, id, { ...direct, stores: ["two", "nowhere"] }), 409);
  assert.equal(await importImage(api, id, { ...direct, stores: ["two"], all_stores: true }), 400);
  assert.equal(await importImage(api, id, { ...direct, stores: ["one", "two"] }), 202);
  await settled(api);
  const held = () => row(api, id).locations.map(({ metadata }) => metadata.store);
  assert.deepEqual(held(), ["one", "two"]);
  const copy = { method: { name: "copy-image" } };
  assert.equal(await importImage(api, id, { ...copy, all_stores: true }), 403, "copying is an admin's");
  const admin = { "x-auth-token": "u:p1:admin" };
  assert.equal(await importImage(api, id, { ...copy, stores: ["one"] }, admin), 400, "it is there");
  assert.equal(await importImage(api, id, { ...copy, all_stores: true }, admin), 202);
  await settled(api);
  assert.deepEqual(held(), ["one", "two", "three"]);
  assert.equal(await importImage(api, id, { ...copy, all_stores: true }, admin), 202, "nothing is left to copy");
  assert.equal(api.fixture.database.tasks.size, 2);
  assert.equal(row(api, id).status, "active");
});

test("import: one store that fails ends all, or is listed where that is enough", async () => {
  const broken = namedStores(["one", "two", "three"]).map((named) => {
    if (named.id !== "two") return named;
    const store = new Proxy(named.store, {
      get(target, name) {
        if (name === "put") return () => Promise.reject(new Error("it is broken"));
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
    return { ...named, store };
  });
  await using api = await start("2026.1", { stores: broken });
  const stored = () =>
    broken.flatMap(({ id, store }) => ("keys" in store && (store.keys as string[]).length > 0 ? id : []));
  const id = await newImage(api);
  await stage(api, id);
  assert.equal(await importImage(api, id, { ...direct, all_stores: true }), 202);
  await settled(api);
  assert.deepEqual([row(api, id).status, row(api, id).properties.os_glance_failed_import], ["queued", "two,three"]);
  assert.deepEqual(stored(), []);
  await stage(api, id);
  assert.equal(await importImage(api, id, { ...direct, all_stores: true, all_stores_must_succeed: false }), 202);
  await settled(api);
  assert.deepEqual([row(api, id).status, row(api, id).properties.os_glance_failed_import], ["active", "two"]);
  assert.deepEqual(stored(), ["one", "three"]);
});

test("import: each release has what it had", async () => {
  for (const [release, methods] of [
    ["ocata", null],
    ["queens", "glance-direct,web-download"],
    ["ussuri", "glance-direct,web-download,copy-image"],
  ] as const) {
    await using api = await start(release);
    const headers = { "x-auth-token": "u:p1:admin" };
    const created = await fetch(`${api.url}/v2/images`, { method: "POST", headers, body: "{}" });
    assert.equal(created.headers.get("openstack-image-import-methods"), methods);
    const info = await fetch(`${api.url}/v2/info/import`, { headers });
    assert.equal(info.status, methods === null ? 404 : 200);
    if (methods !== null) {
      const body = (await info.json()) as { "import-methods": { value: string[] } };
      assert.equal(body["import-methods"].value.join(), methods);
    }
    const { id } = (await created.json()) as { id: string };
    assert.equal(await importImage(api, id, direct, headers), methods === null ? 404 : 409);
  }
});

test("import: plugins unpack the data and set properties, the latter not for those whom the operator spares", async () => {
  const importing = {
    plugins: ["inject_image_metadata", "image_decompression"],
    injected: { properties: { os_distro: "debian", checked: "yes" }, ignoredRoles: ["admin"] },
  } as const;
  await using api = await start("2026.1", { importing });
  const id = await newImage(api);
  await stage(api, id, gzipSync(data));
  assert.equal(await importImage(api, id, direct), 202);
  await settled(api);
  const image = row(api, id);
  assert.deepEqual([image.status, image.sizeBytes], ["active", data.length]);
  assert.equal(image.checksum, createHash("md5").update(data).digest("hex"));
  assert.deepEqual([image.properties.os_distro, image.properties.checked], ["debian", "yes"]);
  const packed = await newImage(api, { container_format: "compressed" });
  await stage(api, packed, gzipSync(data));
  assert.equal(await importImage(api, packed, direct, { "x-auth-token": "u:p1:admin" }), 202);
  await settled(api);
  assert.equal(row(api, packed).sizeBytes, gzipSync(data).length, "what is meant to be compressed stays so");
  assert.equal(row(api, packed).properties.os_distro, undefined);
});

test("import: a task makes an image and fetches its data, for admins, from Pike on", async () => {
  const server = createServer((_request, response) => response.end(data)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const admin = { "x-auth-token": "u:p1:admin" };
  const post = (api: TestApi, body: unknown, headers: object = admin) =>
    fetch(`${api.url}/v2/tasks`, { method: "POST", headers: { ...headers }, body: JSON.stringify(body) });
  const input = {
    import_from: `http://127.0.0.1:${port}/image`,
    import_from_format: "raw",
    image_properties: { name: "made", container_format: "bare", flavour: "mint" },
  };
  try {
    for (const release of ["pike", "2026.1"] as const) {
      await using api = await start(release);
      for (const body of [
        [],
        {},
        { type: "export", input },
        { type: "import" },
        { type: "import", input: {} },
        { type: "import", input: { ...input, import_from: "file:///etc/passwd" } },
        { type: "import", input: { ...input, image_properties: { container_format: "no" } } },
        { type: "import", input: { import_from: input.import_from } },
      ])
        assert.equal((await post(api, body)).status, 400, JSON.stringify(body));
      for (const body of [{ type: "import", input }, {}, []])
        assert.equal((await post(api, body, owner)).status, 403, "before anything is said of the body");
      assert.equal(api.fixture.database.images.size, 0);
      const response = await post(api, { type: "import", input });
      assert.equal(response.status, 201);
      const task = (await response.json()) as { id: string; input: object };
      assert.equal(response.headers.get("location"), `${api.url}/v2/tasks/${task.id}`);
      assert.deepEqual(task.input, input);
      await settled(api);
      const ended = api.fixture.database.tasks.get(task.id);
      assert.equal(ended?.status, "success");
      const { image_id: id } = ended.result as { image_id: string };
      assert.deepEqual([row(api, id).status, row(api, id).name, row(api, id).diskFormat], ["active", "made", "raw"]);
      assert.deepEqual(row(api, id).properties, { flavour: "mint" });
    }
    await using older = await start("ocata");
    assert.equal((await post(older, { type: "import", input })).status, 405);
  } finally {
    server.close();
  }
});
