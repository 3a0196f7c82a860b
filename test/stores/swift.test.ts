// The Swift store against a real server: everything a store promises, and what only Swift has: segments, accounts, older locations.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { buffer, json } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { isServiceError } from "../../src/core/errors.ts";
import { ServiceAccounts } from "../../src/stores/swift/service-accounts.ts";
import type { SwiftReference } from "../../src/stores/swift/swift-auth.ts";
import { SwiftClient } from "../../src/stores/swift/swift-client.ts";
import type { SwiftAccess } from "../../src/stores/swift/swift-login.ts";
import { openSwiftStore } from "../../src/stores/swift/swift-store.ts";
import { storeConformance } from "../../src/stores/testing/store-conformance.ts";
import { type SwiftServer, startSwift } from "../servers/swift.ts";

const signal = new AbortController().signal;
let swift: SwiftServer;
before(async () => {
  swift = await startSwift();
});
after(() => swift?.stop());

function accessTo(changes: Partial<SwiftReference> = {}, endpoint: string | null = null): SwiftAccess {
  const reference = {
    name: "ref1",
    authAddress: new URL(`${swift.url}/auth/v1.0`),
    authVersion: "1",
    user: swift.user,
    key: swift.key,
    projectDomain: { id: "default" },
    userDomain: { id: "default" },
    ...changes,
  } as const;
  const choice = { serviceType: "object-store", interface: "public", region: null };
  return { reference, choice, endpoint, insecure: false };
}

async function openStore(
  changes: Partial<SwiftReference> = {},
  {
    createContainer = true,
    endpoint = null,
    idCharacters = 0,
  }: { createContainer?: boolean; endpoint?: string | null; idCharacters?: number } = {},
) {
  const container = `images-${randomUUID()}`;
  const client = new SwiftClient(accessTo());
  if (createContainer) await client.ask({ method: "PUT", container, body: [] });
  const store = openSwiftStore({
    places: new ServiceAccounts({
      accesses: [accessTo(changes, endpoint)],
      containers: { name: container, idCharacters },
      createContainer,
    }),
    container,
    segmentBytes: 1_048_576,
    largeObjectMb: 5_120,
  });
  const names = async () =>
    (await client.ask({ method: "GET", container })).text.split("\n").filter((name) => name !== "");
  /** Pieces that an object is made of count as the object. */
  const contents = async () => {
    const all = await names();
    const attempts = await Promise.all(
      all.map(async (name) => `${name}-${(await client.head(container, name))?.["x-object-meta-perennial-put"]}-`),
    );
    return all.filter((name) => !attempts.some((attempt) => name.startsWith(attempt)));
  };
  const close = async () => {
    await store.close();
    client.close();
  };
  return { store, client, container, names, contents, close };
}

storeConformance("swift store", () => openStore());

test("swift store: an image in segments is one object for every other client, and removing it leaves none of them", async () => {
  const { store, client, container, names, close } = await openStore();
  const data = randomBytes(3_500_000);
  const id = randomUUID();
  const { url } = await store.put(
    id,
    Readable.from(data.length ? [data.subarray(0, 2_000_000), data.subarray(2_000_000)] : []),
    { signal },
  );
  assert.equal(url, `swift+config://ref1/${container}/${id}`);
  assert.equal((await names()).length, 3);
  assert.equal((await client.head(container, id))?.["x-static-large-object"], "True");
  const reply = await client.call({ method: "GET", container, object: id });
  assert((await buffer(reply.body)).equals(data));
  await store.remove(url);
  assert.deepEqual(await names(), []);
  await close();
});

test("swift store: images are spread over containers by their ids; one stored before in the only container is read and removed", async () => {
  const { store, client, container, names, close } = await openStore({}, { idCharacters: 2 });
  const id = randomUUID();
  const { url } = await store.put(id, Readable.from([Buffer.from("spread")]), { signal });
  const own = `${container}_${id.slice(0, 2)}`;
  assert.equal(url, `swift+config://ref1/${own}/${id}`);
  assert.deepEqual(await names(), []);
  assert.equal((await buffer(await store.open(url, { signal }))).toString(), "spread");
  assert.equal(await store.size(url), 6);
  await store.remove(url);
  assert.equal((await client.ask({ method: "GET", container: own })).text, "");
  await client.ask({ method: "PUT", container, object: id, body: [Buffer.from("before")] });
  const before = `swift+config://ref1/${container}/${id}`;
  assert(store.owns(before));
  assert.equal((await buffer(await store.open(before, { signal }))).toString(), "before");
  await store.remove(before);
  assert.deepEqual(await names(), []);
  await close();
});

test("swift store: what the reference wrote, in segments of its own, is read and removed, and so is what a killed put left", async () => {
  const { store, client, container, names, close } = await openStore();
  const id = randomUUID();
  const write = (object: string, text: string, headers = {}) =>
    client.ask({ method: "PUT", container, object, headers, body: [Buffer.from(text)] });
  await write(`${id}-00001`, "first ");
  await write(`${id}-00002`, "second");
  await write(id, "", { "x-object-manifest": `${container}/${id}-` });
  await write(`${id}-0123456789abcdef-00000`, "");
  await write(`${id}x-00001`, "of another image");
  const old = `swift+http://${swift.user}:secret@${new URL(swift.url).host}/auth/v1.0/${container}/${id}`;
  assert(store.owns(old) && !store.owns(old.replace(swift.user, "test:other")));
  assert.equal((await buffer(await store.open(old, { signal }))).toString(), "first second");
  await store.remove(old);
  assert.deepEqual(await names(), [`${id}x-00001`]);
  await close();
});

test("swift store: a put whose object another node replaced in the same moment fails, and leaves the other's alone", async () => {
  const session = await fetch(`${swift.url}/auth/v1.0`, {
    headers: { "x-auth-user": swift.user, "x-auth-key": swift.key },
  });
  const id = randomUUID();
  // Swift as it is, but when it has stored the object, another's is stored in its place before the answer goes out.
  const between = createServer(async (request, response) => {
    const url = `${swift.url}${request.url}`;
    const headers = { "x-auth-token": session.headers.get("x-auth-token") ?? "" };
    const body = request.method === "PUT" ? { body: await buffer(request) } : {};
    const reply = await fetch(url, {
      method: request.method ?? "",
      headers: { ...passedOn(request.headers), ...headers },
      ...body,
    });
    if (request.method === "PUT" && new URL(url).pathname.endsWith(`/${id}`))
      await fetch(url.replace(/\?.*/, ""), { method: "PUT", headers, body: "of the other" });
    response.writeHead(reply.status, Object.fromEntries(reply.headers));
    response.end(Buffer.from(await reply.arrayBuffer()));
  }).listen(0, "127.0.0.1");
  await once(between, "listening");
  const account = new URL(session.headers.get("x-storage-url") ?? "").pathname;
  const endpoint = `http://127.0.0.1:${(between.address() as AddressInfo).port}${account}`;
  const { store, names, close } = await openStore({}, { endpoint });
  await assert.rejects(store.put(id, Readable.from([Buffer.from("mine")]), { signal }), (error) =>
    isServiceError(error, "stores.blob_exists"),
  );
  assert.deepEqual(await names(), [id]);
  assert.equal((await buffer(await store.open(store.locationFor(id), { signal }))).toString(), "of the other");
  await close();
  between.closeAllConnections();
  await once(between.close(), "close");
});

test("swift store: a missing container, and an account that is refused, are told as what they are", async () => {
  const without = await openStore({}, { createContainer: false });
  await assert.rejects(
    without.store.put("id", Readable.from([Buffer.from("x")]), { signal }),
    (error) =>
      isServiceError(error, "stores.unavailable") && error.message.includes("swift_store_create_container_on_put"),
  );
  await without.close();
  const wrong = await openStore({ key: "wrong" });
  await assert.rejects(wrong.store.put("id", Readable.from([]), { signal }), (error) =>
    isServiceError(error, "stores.read_only"),
  );
  await wrong.close();
});

test("swift store: by Keystone it asks for a token of its project, takes the endpoint of the catalog, and a new token where one is refused", async () => {
  const session = await fetch(`${swift.url}/auth/v1.0`, {
    headers: { "x-auth-user": swift.user, "x-auth-key": swift.key },
  });
  const asked: unknown[] = [];
  const keystone = createServer(async (request, response) => {
    asked.push(await json(request));
    // The first token is worth nothing.
    const token = asked.length === 1 ? "AUTH_none" : session.headers.get("x-auth-token");
    const url = session.headers.get("x-storage-url");
    const endpoints = [
      { interface: "internal", url: "http://127.0.0.1:1" },
      { interface: "public", region: "one", url },
    ];
    response.writeHead(201, { "x-subject-token": token ?? "" });
    response.end(
      JSON.stringify({ token: { expires_at: "2999-01-01T00:00:00Z", catalog: [{ type: "object-store", endpoints }] } }),
    );
  }).listen(0, "127.0.0.1");
  await once(keystone, "listening");
  const authAddress = new URL(`http://127.0.0.1:${(keystone.address() as AddressInfo).port}/v3/`);
  const { store, close } = await openStore({ authAddress, authVersion: "3", user: "service:glance", key: "pw" });
  const { url } = await store.put("id", Readable.from([Buffer.from("data")]), { signal });
  assert.equal(await store.size(url), 4);
  const person = { name: "glance", password: "pw", domain: { id: "default" } };
  const auth = {
    identity: { methods: ["password"], password: { user: person } },
    scope: { project: { name: "service", domain: { id: "default" } } },
  };
  assert.deepEqual(asked, [{ auth }, { auth }]);
  await close();
  await once(keystone.close(), "close");
});

/** Headers that are for this hop alone stay behind. */
function passedOn(headers: IncomingHttpHeaders): Record<string, string> {
  const own = ["connection", "host", "transfer-encoding", "content-length", "expect"];
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      typeof value === "string" && !own.includes(name) ? [[name, value]] : [],
    ),
  );
}
