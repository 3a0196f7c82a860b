// The policy matrix goes on: locations, staging, import, stores, cache, tasks and what is told about the service, as the newest release's default
// rules have it, written from the reference's; and that no route is in none of the matrices.
import assert from "node:assert/strict";
import { test } from "node:test";
import { TestCache } from "../cache/testing/test-cache.ts";
import { namedStores } from "../images/testing/fixture.ts";
import { WebStore } from "../images/testing/web-store.ts";
import { newestRelease } from "../releases/catalogue.ts";
import { pathOfUrl, routesOf } from "./route-table.ts";
import { startApi, type TestApi } from "./testing/api-server.ts";
import {
  type Call,
  calls as firstCalls,
  patch,
  roles as people,
  type Relation,
  type Role,
  relations,
  root,
  type Situation,
  send,
  sendTo,
  tokenOf,
} from "./testing/policy-calls.ts";

const roles: readonly Role[] = [...people, "service,reader"];
const visibilities = ["private", "shared", "public"] as const;
const webUrl = "http://web/disk";
const data = "data";

/** `begin`: what the image has to be like. `stored`: its data lies in a store, and on the web too. */
type MoreCall = Call & { readonly begin: "queued" | "staged" | "stored" };
const importBy = (method: object, more: object = {}): Pick<MoreCall, "method" | "path" | "body" | "ok"> => ({
  method: "POST",
  path: "/import",
  body: { method, ...more },
  ok: 202,
});

const calls = {
  untag: { method: "DELETE", path: "/tags/t", ok: 204, begin: "queued" },
  addLocation: {
    ...patch({ op: "add", path: "/locations/-", value: { url: webUrl, metadata: {} } }),
    begin: "queued",
  },
  replaceLocations: {
    ...patch({ op: "replace", path: "/locations", value: [{ url: webUrl, metadata: {} }] }),
    begin: "queued",
  },
  removeLocation: { ...patch({ op: "remove", path: "/locations/1" }), begin: "stored" },
  readLocations: { method: "GET", path: "/locations", ok: 200, begin: "stored" },
  giveLocation: { method: "POST", path: "/locations", body: { url: webUrl }, ok: 202, begin: "queued" },
  downloadData: { method: "GET", path: "/file", ok: 200, begin: "stored" },
  stage: { method: "PUT", path: "/stage", body: data, type: "application/octet-stream", ok: 204, begin: "queued" },
  importStaged: { ...importBy({ name: "glance-direct" }), begin: "staged" },
  importFromWeb: { ...importBy({ name: "web-download", uri: "http://127.0.0.1:1/x" }), begin: "queued" },
  copy: { ...importBy({ name: "copy-image" }, { stores: ["second"] }), begin: "stored" },
  tasks: { method: "GET", path: "/tasks", ok: 200, begin: "queued" },
} as const satisfies Readonly<Record<string, MoreCall>>;
type CallName = keyof typeof calls;

/** On an image, by paths of their own. */
const placeCalls = {
  removeFromStore: { method: "DELETE", path: (id: string) => `/stores/first/${id}`, ok: 204 },
  cache: { method: "PUT", path: (id: string) => `/cache/${id}`, ok: 202 },
  uncache: { method: "DELETE", path: (id: string) => `/cache/${id}`, ok: 204 },
  queueToCache: { method: "PUT", path: (id: string) => `/queued_images/${id}`, ok: 200 },
  unqueue: { method: "DELETE", path: (id: string) => `/queued_images/${id}`, ok: 200 },
  uncacheOlder: { method: "DELETE", path: (id: string) => `/cached_images/${id}`, ok: 200 },
} as const;

const admins = [
  "GET /cache",
  "DELETE /cache",
  "GET /cached_images",
  "DELETE /cached_images",
  "GET /queued_images",
].concat("DELETE /queued_images", "GET /tasks");
const everybodys = ["GET /info/import", "GET /info/stores", "GET /info/usage", "GET /schemas/image"];

async function start(cache: Awaited<ReturnType<TestCache["open"]>>): Promise<TestApi> {
  const web = new WebStore();
  web.add("disk", Buffer.from(data));
  return startApi({
    flavor: "fakeauth",
    release: newestRelease.id,
    stores: [...namedStores(["first", "second"]), web.named],
    images: { showLocations: true },
    settings: { olderCacheRoutes: true },
    cache,
  });
}

async function prepare(api: TestApi, visibility: string, begin: MoreCall["begin"]): Promise<string> {
  const must = async (path: string, call: Omit<Call, "path" | "ok">) => {
    const { status, text } = await send(api, root, path, call);
    assert(status < 300, `${call.method} ${path}: ${status} ${text}`);
    return text;
  };
  const body = { visibility, owner: "own", disk_format: "raw", container_format: "bare", tags: ["t"] };
  const { id } = JSON.parse(await must("", { method: "POST", body }));
  if (visibility === "shared") await must(`/${id}/members`, { method: "POST", body: { member: "guest" } });
  if (begin === "queued") return id;
  const place = begin === "staged" ? "stage" : "file";
  await must(`/${id}/${place}`, { method: "PUT", body: data, type: "application/octet-stream" });
  if (begin === "stored") await must(`/${id}`, calls.addLocation);
  return id;
}

/** Whether the image is there for the caller at all: by the database, and by get_image. */
function sees({ role, relation, visibility }: Situation): boolean {
  const inDatabase =
    relation === "owner" || visibility === "public" || (relation === "invited" && visibility === "shared");
  return role === "admin" || (inDatabase && role !== "auditor");
}

function expected(situation: Situation, name: CallName): number {
  const { role, relation } = situation;
  const { ok } = calls[name];
  const admin = role === "admin";
  const member = role === "member" || admin;
  const service = role === "service,reader";
  if (!sees(situation)) return 404;
  switch (name) {
    case "tasks":
      return ok;
    case "downloadData":
      return member ? ok : 403;
    case "readLocations":
      return admin || service ? ok : 403;
    case "removeLocation":
    case "copy":
      return admin ? ok : 403;
    case "giveLocation":
      return admin || service || (member && relation === "owner") ? ok : 403;
    default:
      return admin || (member && relation === "owner") ? ok : 403;
  }
}

async function everySituation(each: (situation: Situation) => Promise<void>): Promise<void> {
  for (const visibility of visibilities)
    for (const role of roles) for (const relation of relations) await each({ role, relation, visibility });
}

test("policy matrix: locations, staging and imports at the newest release, services among the callers", async () => {
  await using place = await TestCache.make();
  await using api = await start(await place.open());
  let compared = 0;
  for (const name of Object.keys(calls) as CallName[])
    await everySituation(async (situation) => {
      const call: MoreCall = calls[name];
      const id = await prepare(api, situation.visibility, call.begin);
      const { status, text } = await send(api, tokenOf(situation), `/${id}${call.path}`, call);
      const { role, relation, visibility } = situation;
      assert.equal(
        status,
        expected(situation, name),
        `${name} of a ${visibility} image as ${role}, ${relation}: ${text}`,
      );
      compared++;
    });
  assert.equal(compared, Object.keys(calls).length * visibilities.length * roles.length * relations.length);
});

test("policy matrix: taking an image from a store, and the cache, are admins'", async () => {
  await using place = await TestCache.make();
  await using api = await start(await place.open());
  for (const [name, { method, path, ok }] of Object.entries(placeCalls))
    await everySituation(async (situation) => {
      const id = await prepare(api, situation.visibility, "stored");
      const { status, text } = await sendTo(`${api.url}/v2${path(id)}`, tokenOf(situation), { method });
      const { role, relation, visibility } = situation;
      // The cache's rules are asked before any image.
      const unseen = name === "removeFromStore" && !sees(situation);
      const expect = role === "admin" ? ok : unseen ? 404 : 403;
      assert.equal(status, expect, `${name} of a ${visibility} image as ${role}, ${relation}: ${text}`);
    });
});

test("policy matrix: tasks and the cache as a whole are admins', stores in detail services' too, the rest everybody's", async () => {
  await using place = await TestCache.make();
  await using api = await start(await place.open());
  const body = { type: "import", input: { import_from: "http://127.0.0.1:1/x", image_properties: formats } };
  const made = await sendTo(`${api.url}/v2/tasks`, root, { method: "POST", body });
  assert.equal(made.status, 201);
  const { id } = JSON.parse(made.text);
  const ask = async (role: Role, relation: Relation, call: string, more: object = {}) => {
    const [method = "", path = ""] = call.split(" ");
    const { status } = await sendTo(`${api.url}/v2${path}`, tokenOf({ role, relation }), { method, ...more });
    return status;
  };
  for (const role of roles)
    for (const relation of relations) {
      const who = `${role}, ${relation}`;
      const admin = role === "admin";
      for (const call of [...admins, `GET /tasks/${id}`]) {
        const status = await ask(role, relation, call);
        assert(admin ? status < 300 : status === 403, `${call} as ${who}: ${status}`);
      }
      assert.equal(await ask(role, relation, "POST /tasks", { body }), admin ? 201 : 403, who);
      for (const call of everybodys) assert.equal(await ask(role, relation, call), 200, `${call} as ${who}`);
      const detail = admin || role === "service,reader";
      assert.equal(await ask(role, relation, "GET /info/stores/detail"), detail ? 200 : 403, who);
    }
});

const formats = { disk_format: "raw", container_format: "bare" };

test("policy matrix: every call is in one of the matrices", () => {
  const { capabilities } = newestRelease;
  const routes = routesOf({
    capabilities,
    images: { ...capabilities, resumableSeconds: null },
    settings: { olderCacheRoutes: true },
    services: { imports: { methods: capabilities.importMethods } },
  });
  const asked = [
    ...Object.values({ ...firstCalls, ...calls }).map(({ method, path }) => `${method} /images/x${path}`),
    ...Object.values(placeCalls).map(({ method, path }) => `${method} ${path("x")}`),
    ...[...admins, ...everybodys, "POST /tasks", "GET /tasks/x", "GET /info/stores/detail"],
    // In a test of their own beside the first calls.
    ...["POST /images", "GET /images"],
  ];
  const covered = asked.map((call) => {
    const [method = "", path = ""] = call.split(" ");
    return `${method} ${pathOfUrl(routes, `/v2${path}`)}`;
  });
  // Metadata definitions have their own matrix, and schemas are everybody's alike.
  const others = routes.filter(({ path }) => !path.startsWith("/metadefs/") && !path.startsWith("/schemas/"));
  for (const { method, path } of others) assert(covered.includes(`${method} ${path}`), `${method} ${path}`);
});
