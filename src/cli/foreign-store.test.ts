// Images in a store that this node has not, whose data another node gives: what the client gets of it, whatever that node does.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { eventually } from "../../test/servers/eventually.ts";
import { startApi, type TestApi } from "../api/testing/api-server.ts";
import { TestCache } from "../cache/testing/test-cache.ts";
import type { Policy } from "../core/caller.ts";
import { silentLogger } from "../core/logger.ts";
import { passedOnHeader } from "../core/onward.ts";
import type { Image } from "../images/image.ts";
import { namedStores } from "../images/testing/fixture.ts";
import type { ForeignNodes } from "../stores/foreign-nodes.ts";
import { createProxyNodes } from "../stores/proxy/proxy-nodes.ts";
import { GlanceStandIn, giving, type Reply } from "../stores/testing/glance-stand-in.ts";

const id = "11111111-1111-4111-8111-111111111111";
const owner = { "x-auth-token": "ann:red:member,reader" };
const admin = { "x-auth-token": "ops:ops:admin" };
const data = randomBytes(2_000_000);
const inRbd = { url: "rbd://fsid/images/one/snap", metadata: {}, status: "active" } as const;
const status =
  (code: number): Reply =>
  (_request, response) =>
    response.writeHead(code).end();

const by = (...urls: readonly string[]) => createProxyNodes({ urls, nodeName: "n1", logger: silentLogger });
/** Dies in the middle of its first answer, and answers `then` from there on. */
const dying = (then: Reply): Reply => {
  let reply = giving(data, { cutAfter: 700_000 });
  return (request, response) => {
    const now = reply;
    reply = then;
    now(request, response);
  };
};

type Options = Omit<NonNullable<Parameters<typeof startApi>[0]>, "flavor">;

/** An API that asks `nodes`, and an image whose data only they have. */
async function apiWithImage(
  nodes: ForeignNodes | undefined,
  options: Options = {},
  changes: Partial<Image> = {},
): Promise<TestApi> {
  const foreign = nodes ? { foreignNodes: nodes } : {};
  const api = await startApi({ flavor: "fakeauth", release: "zed", ...foreign, ...options });
  const body = JSON.stringify({ id, disk_format: "raw", container_format: "bare" });
  assert.equal((await fetch(`${api.url}/v2/images`, { method: "POST", headers: owner, body })).status, 201);
  const sizeBytes = data.length;
  api.fixture.database.write(id, { status: "active", sizeBytes, locations: [inRbd], ...changes });
  return api;
}

const file = (api: TestApi, headers: Record<string, string> = owner) =>
  fetch(`${api.url}/v2/images/${id}/file`, { headers });
const remove = (api: TestApi, headers: Record<string, string> = owner) =>
  fetch(`${api.url}/v2/images/${id}`, { method: "DELETE", headers });
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

test("foreign store: data comes from the node that has it, asked in the client's name, whole or in part", async () => {
  await using glance = await GlanceStandIn.start(giving(data));
  await using api = await apiWithImage(by(`${glance.url}/image`), {}, { checksum: "c".repeat(32) });
  const asking = { ...owner, "x-service-token": "nova", "x-openstack-request-id": "req-client" };
  const whole = await file(api, asking);
  assert.equal(whole.status, 200);
  assert.equal(whole.headers.get("content-length"), String(data.length));
  assert.equal(whole.headers.get("content-md5"), "c".repeat(32));
  assert(data.equals(await bytesOf(whole)));
  const [first] = glance.asked;
  assert.equal(first?.url, `/image/v2/images/${id}/file`);
  for (const [name, value] of Object.entries({ ...asking, [passedOnHeader]: "n1" }))
    assert.equal(first.headers[name], value, name);
  assert.equal(first.headers.range, undefined);

  const part = await file(api, { ...owner, range: "bytes=-10" });
  assert.equal(part.status, 206);
  assert.equal(part.headers.get("content-range"), `bytes 1999990-1999999/${data.length}`);
  assert(data.subarray(-10).equals(await bytesOf(part)));
  const [, second] = glance.asked;
  assert.equal(second?.headers.range, "bytes=1999990-1999999");
  assert.equal(second.headers["x-openstack-request-id"], part.headers.get("x-openstack-request-id"));
  assert.equal((await file(api, { ...owner, range: `bytes=${data.length}-` })).status, 416);
  assert.equal(glance.asked.length, 2);
});

test("foreign store: a node that sends all where a part was asked for is understood", async () => {
  await using glance = await GlanceStandIn.start((_request, response) => response.end(data));
  await using api = await apiWithImage(by(glance.url));
  const part = await file(api, { ...owner, range: "bytes=1000000-1000999" });
  assert(data.subarray(1_000_000, 1_001_000).equals(await bytesOf(part)));
});

test("foreign store: what the other node says of the caller is the answer; what is no answer is 502, 503 or 501, and nothing of it is data", async () => {
  await using glance = await GlanceStandIn.start(status(500));
  await using api = await apiWithImage(by(glance.url));
  const odd = (code: number, headers: Record<string, string>, body: Buffer | string = data): Reply => {
    return (_request, response) => response.writeHead(code, headers).end(body);
  };
  const answers: readonly (readonly [string, Reply, number])[] = [
    ["the token has expired", status(401), 401],
    ["its policy is stricter", status(403), 403],
    ["it is gone", status(404), 404],
    ["its store has lost the data", status(204), 204],
    ["it has no such store either", status(501), 501],
    ["it is overloaded", status(503), 503],
    ["it fails", status(500), 503],
    ["it drops connections", (request) => request.socket.destroy(), 503],
    ["it redirects", odd(302, { location: "http://one.example/" }, ""), 502],
    ["it is no Glance", odd(400, {}, "what?"), 502],
    ["its image is another", odd(200, {}, "short"), 502],
    ["its data is compressed", odd(200, { "content-encoding": "gzip", "content-length": String(data.length) }), 502],
    ["it sends another part", odd(206, { "content-range": "bytes 1-10/100" }), 502],
  ];
  for (const [what, reply, expected] of answers) {
    glance.reply = reply;
    const response = await file(api);
    assert.equal(response.status, expected, what);
    assert((await response.text()).length < 1_000, what);
  }
  await glance[Symbol.asyncDispose]();
  const away = await file(api);
  assert.equal(away.status, 503, "nobody is there");
  assert.equal(away.headers.get("retry-after"), "5");
  assert.deepEqual(api.fixture.transfers.snapshot(), []);
});

test("foreign store: nodes are asked in turn until one helps", async () => {
  await using away = await GlanceStandIn.start(status(200));
  await away[Symbol.asyncDispose]();
  await using without = await GlanceStandIn.start(status(501));
  await using failing = await GlanceStandIn.start(status(503));
  await using glance = await GlanceStandIn.start(giving(data));
  await using api = await apiWithImage(by(away.url, without.url, failing.url, glance.url));
  assert(data.equals(await bytesOf(await file(api))));
  glance.reply = status(403);
  assert.equal((await file(api)).status, 403);
});

test("foreign store: where a node dies in the middle another goes on from there", async () => {
  await using first = await GlanceStandIn.start(dying(status(503)));
  await using glance = await GlanceStandIn.start(giving(data));
  await using api = await apiWithImage(by(first.url, glance.url));
  assert(data.equals(await bytesOf(await file(api))));
  const range = glance.asked[0]?.headers.range ?? "";
  assert.match(range, /^bytes=[1-9]\d*-1999999$/, "only the rest of it");
});

test("foreign store: where nobody has the rest the client's connection is cut, and nothing stays in the cache", async () => {
  await using place = await TestCache.make();
  const cache = await place.open();
  await using glance = await GlanceStandIn.start(dying(status(403)));
  await using api = await apiWithImage(by(glance.url), { cache });
  const response = await file(api);
  assert.equal(response.status, 200);
  await assert.rejects(bytesOf(response));
  await eventually("the transfer has ended", () => api.fixture.transfers.snapshot().length === 0);
  await cache.idle();
  assert.equal(await cache.has(id), false);
  glance.reply = giving(data);
  assert(data.equals(await bytesOf(await file(api))));
  await cache.idle();
  const asked = glance.asked.length;
  assert(data.equals(await bytesOf(await file(api))));
  assert.equal(glance.asked.length, asked, "a whole one is kept, and read from there");
});

test("foreign store: it is a transfer while it lasts, at the client's pace, and ends with its client", async () => {
  let sent = 0;
  const sizeBytes = 2 ** 40;
  const endless: Reply = (_request, response) => {
    response.writeHead(200, { "content-length": sizeBytes });
    const more = () => {
      while (!response.destroyed) {
        sent += data.length;
        if (!response.write(data)) return;
      }
    };
    response.on("drain", more);
    more();
  };
  await using glance = await GlanceStandIn.start(endless);
  await using api = await apiWithImage(by(glance.url), {}, { sizeBytes });
  const leaving = new AbortController();
  const { signal } = leaving;
  const response = await fetch(`${api.url}/v2/images/${id}/file`, { headers: owner, signal });
  const reader = response.body?.getReader();
  for (let bytes = 0; bytes < 20_000_000; ) bytes += (await reader?.read())?.value?.length ?? 0;
  const [transfer] = api.fixture.transfers.snapshot();
  assert.deepEqual([transfer?.kind, transfer?.imageId, transfer?.bytesTotal], ["download", id, sizeBytes]);
  // What nobody reads waits in buffers on the way, which are bounded: it is never all that could have been sent.
  assert(sent < 200_000_000, `${sent} bytes`);
  leaving.abort();
  await eventually("the transfer has ended", () => api.fixture.transfers.snapshot().length === 0);
});

test("foreign store: policy and status are judged here, before anybody is asked", async () => {
  await using glance = await GlanceStandIn.start(giving(data));
  const policy: Policy = {
    allows: (rule, caller) => caller.isAdmin || !["context_is_admin", "download_image"].includes(rule),
  };
  await using strict = await apiWithImage(by(glance.url), { policy });
  assert.equal((await file(strict)).status, 403);
  await using api = await apiWithImage(by(glance.url), {}, { status: "active", protected: true });
  api.fixture.database.write(id, { status: "deactivated" });
  assert.equal((await file(api)).status, 403);
  assert.equal((await file(api, { "x-auth-token": "eve:blue:member,reader" })).status, 404);
  assert.equal((await remove(api)).status, 403, "it is protected");
  assert.equal(glance.asked.length, 0);
  assert.equal((await file(api, admin)).status, 200);
});

test("foreign store: two nodes that have it not do not ask each other for ever, and say whom to name", async () => {
  let far = "";
  const late: ForeignNodes = {
    open: (...asked) => by(far).open(...asked),
    remove: (...asked) => by(far).remove(...asked),
    close: () => undefined,
  };
  await using one = await apiWithImage(late);
  await using other = await apiWithImage(by(one.url));
  far = other.url;
  for (const ask of [file, remove]) {
    const response = await ask(one);
    assert.equal(response.status, 501);
    assert.match(await response.text(), /does not have the store of this image either/);
    assert(one.fixture.database.live(id) && other.fixture.database.live(id));
  }
  const passedOn = await file(one, { ...owner, [passedOnHeader]: "n9" });
  assert.equal(passedOn.status, 501);
  assert.match(await passedOn.text(), /passed on by node n9 already.*foreign_store_proxy has to name a Glance node/s);
});

test("foreign store: the other node deletes the image whole; where it does not, nothing has changed here", async () => {
  await using glance = await GlanceStandIn.start(status(500));
  await using place = await TestCache.make();
  const cache = await place.open();
  await using api = await apiWithImage(by(glance.url), { cache });
  const { database } = api.fixture;
  const before = database.live(id);
  const gone = () => database.write(id, { status: "deleted", deleted: true });
  const answers: readonly (readonly [string, Reply, number])[] = [
    ["it fails", status(500), 503],
    ["it drops connections", (request) => request.socket.destroy(), 503],
    ["its token check fails", status(401), 401],
    ["its policy is stricter", status(403), 403],
    ["it does not see it", status(404), 404],
    ["its store says that it is in use", status(409), 409],
    ["it has no such store either", status(501), 501],
    ["it is no Glance", status(302), 502],
  ];
  for (const [what, reply, expected] of answers) {
    glance.reply = reply;
    assert.equal((await remove(api)).status, expected, what);
    assert.equal(database.live(id), before, what);
    assert.equal(database.leases.size, 0, what);
  }
  glance.reply = giving(data);
  await bytesOf(await file(api));
  await cache.idle();
  assert(await cache.has(id));
  glance.asked.length = 0;
  glance.reply = (request, response) => {
    assert.equal(request.method, "DELETE");
    if (glance.asked.length > 1) {
      response.writeHead(404).end();
      return;
    }
    assert.equal(database.live(id), before, "it is deleted there, not here");
    gone();
    // The reply is lost, and the request made again.
    request.socket.destroy();
  };
  assert.equal((await remove(api)).status, 204);
  assert.equal(glance.asked.length, 2);
  assert.equal(await cache.has(id), false, "no copy stays");
  assert.equal((await remove(api)).status, 404);
});

test("foreign store: without a node to ask, what needs the data is refused with 501 and a text; so is changing its locations in any case", async () => {
  await using glance = await GlanceStandIn.start(giving(data));
  for (const nodes of [undefined, by(glance.url)]) {
    await using api = await apiWithImage(nodes, { images: { showLocations: true } });
    const headers = { ...owner, "content-type": "application/openstack-images-v2.1-json-patch" };
    const near = { url: "memory:one", metadata: {}, status: "active" } as const;
    api.fixture.database.write(id, { locations: [inRbd, near] });
    const body = JSON.stringify([{ op: "remove", path: "/locations/0" }]);
    const patched = await fetch(`${api.url}/v2/images/${id}`, { method: "PATCH", headers, body });
    assert.equal(patched.status, 501);
    for (const ask of nodes ? [] : [file, remove]) {
      const response = await ask(api);
      assert.equal(response.status, 501);
      assert.match(await response.text(), /in a store of kind rbd, which this node does not have/);
    }
    assert.deepEqual(api.fixture.database.live(id)?.locations, [inRbd, near]);
  }
  assert.equal(glance.asked.length, 0);
});

test("foreign store: one that only other nodes have by its name is foreign too, unless its URLs are those of a store of ours", async () => {
  await using glance = await GlanceStandIn.start(giving(data));
  const stores = namedStores(["fast", "cheap"]);
  const locations = [{ url: "memory://far/one", metadata: { store: "far" }, status: "active" }] as const;
  await using api = await apiWithImage(by(glance.url), { stores }, { locations });
  assert(data.equals(await bytesOf(await file(api))));
  const copy = JSON.stringify({ method: { name: "copy-image" }, stores: ["cheap"] });
  const copied = await fetch(`${api.url}/v2/images/${id}/import`, { method: "POST", headers: admin, body: copy });
  assert.equal(copied.status, 501);
  assert.match(await copied.text(), /in store (?:"|&quot;)far(?:"|&quot;).*cannot be copied here/s);
  assert.equal(api.fixture.database.tasks.size, 0);
  glance.reply = status(500);
  assert.equal((await remove(api)).status, 503);
  const here = { url: "memory://fast/one", metadata: { store: "older-name" }, status: "active" } as const;
  api.fixture.database.write(id, { locations: [here] });
  assert.equal((await remove(api)).status, 204, "by this node alone");
});
