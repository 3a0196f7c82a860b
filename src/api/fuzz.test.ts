// Whatever comes over the wire, the answer is one a client can be blamed or served with: never a 5xx, never silence.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sendRaw, startApi, type TestApi } from "./testing/api-server.ts";

const id = "11111111-1111-4111-8111-111111111111";
const runs = { numRuns: 300 } as const;

async function apiWithImage(): Promise<TestApi> {
  const api = await startApi({ flavor: "fakeauth" });
  const headers = { "x-auth-token": "u:p1:member" };
  const image = JSON.stringify({ id, disk_format: "raw", container_format: "bare" });
  assert.equal((await fetch(`${api.url}/v2/images`, { method: "POST", headers, body: image })).status, 201);
  const namespace = { namespace: "N", owner: "p1", tags: [{ name: "t" }], objects: [{ name: "o" }] };
  const made = await fetch(`${api.url}/v2/metadefs/namespaces`, {
    method: "POST",
    headers,
    body: JSON.stringify(namespace),
  });
  assert.equal(made.status, 201);
  return api;
}

/** Every byte but those that end a line. */
const headerText = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) });
const pathText = fc.string({ unit: fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code)) });
const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "LOCK", "FOO");
const knownPath = fc.constantFrom(
  "/v2/images",
  `/v2/images/${id}`,
  `/v2/images/${id}/file`,
  `/v2/images/${id}/members`,
  `/v2/images/${id}/members/p2`,
  `/v2/images/${id}/tags/t`,
  `/v2/images/${id}/actions/deactivate`,
  "/v2/schemas/images",
  "/v2/metadefs/namespaces",
  "/v2/metadefs/namespaces/N",
  "/v2/metadefs/namespaces/N/objects",
  "/v2/metadefs/namespaces/N/objects/o",
  "/v2/metadefs/namespaces/N/properties",
  "/v2/metadefs/namespaces/N/tags",
  "/v2/metadefs/namespaces/N/tags/t",
  "/v2/metadefs/namespaces/N/resource_types",
  "/versions",
  "/healthcheck",
);
const path = fc.oneof(
  knownPath,
  fc.tuple(knownPath, pathText).map(([known, more]) => `${known}/${more}`),
  fc.tuple(knownPath, pathText).map(([known, query]) => `${known}?${query}`),
  pathText.map((text) => `/${text}`),
);
const headerName = fc.constantFrom(
  "Accept",
  "Content-Type",
  "Range",
  "Content-Range",
  "X-Openstack-Request-ID",
  "Forwarded",
  "Authorization",
  "If-None-Match",
);
const headerValue = fc.oneof(
  headerText,
  fc.constantFrom(
    "",
    "bytes=0-1",
    "bytes=-",
    "bytes=9-0",
    "bytes */*",
    "application/json",
    "application/octet-stream",
    "application/openstack-images-v2.1-json-patch",
    "application/openstack-images-v2.0-json-patch",
  ),
);
const patchEntry = fc.record(
  {
    op: fc.constantFrom("add", "remove", "replace", "move"),
    path: fc.oneof(fc.string(), fc.constantFrom("/name", "/tags", "/k", "/locations/-", "/id")),
    value: fc.jsonValue(),
  },
  { requiredKeys: [] },
);
const body = fc.oneof(
  headerText,
  fc.json(),
  fc.array(patchEntry).map((entries) => JSON.stringify(entries)),
  fc
    .dictionary(fc.constantFrom("id", "name", "tags", "member", "status", "k", "__proto__"), fc.jsonValue())
    .map((object) => JSON.stringify(object)),
);

test("fuzz: any method, path, headers and body get an answer below 500, or 501 for a method nobody has", async () => {
  await using api = await apiWithImage();
  const headers = fc.array(fc.tuple(headerName, headerValue), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(method, path, headers, body, async (verb, target, fields, text) => {
      const bytes = Buffer.from(text, "utf8");
      const lines = [
        `${verb} ${target} HTTP/1.1`,
        "Host: h",
        "Connection: close",
        "X-Auth-Token: u:p1:member",
        ...fields.map(([name, value]) => `${name}: ${value}`),
        ...(bytes.length > 0 ? [`Content-Length: ${bytes.length}`] : []),
      ];
      const answer = await sendRaw(
        api.port,
        Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), bytes]),
      );
      assert(answer.status >= 200 && (answer.status < 500 || answer.status === 501), `${answer.status} ${answer.body}`);
    }),
    runs,
  );
});

test("fuzz: bytes that are no HTTP at all get 400, or an end of the connection", async () => {
  await using api = await apiWithImage();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
      const whole = Buffer.concat([Buffer.from(bytes), Buffer.from("\r\n\r\n")]);
      const answer = await sendRaw(api.port, whole, { endAfterMs: 100 });
      // Line ends alone are the beginning of a request that never comes.
      const blank = bytes.every((byte) => byte === 0x0d || byte === 0x0a);
      assert(blank || (answer.status >= 400 && answer.status < 500), String(answer.status));
    }),
    runs,
  );
});

test("fuzz: chunked bodies of any pieces are read, or refused", async () => {
  await using api = await apiWithImage();
  const size = fc.oneof(
    fc.nat({ max: 0xffff }).map((bytes) => bytes.toString(16)),
    headerText,
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(size, headerText), { maxLength: 4 }), async (chunks) => {
      const pieces = chunks.map(([bytes, text]) => `${bytes}\r\n${text}\r\n`).join("");
      const answer = await sendRaw(
        api.port,
        "POST /v2/images HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Auth-Token: u:p1:member\r\n" +
          `Transfer-Encoding: chunked\r\n\r\n${pieces}0\r\n\r\n\r\n\r\n`,
        { endAfterMs: 100 },
      );
      assert(answer.status < 500, String(answer.status));
    }),
    { numRuns: 100 },
  );
});

const metadefText = fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("", "/", "__proto__", "x".repeat(81)));
const metadefProperty = fc.record(
  {
    name: metadefText,
    title: metadefText,
    type: fc.constantFrom("string", "integer", "array", null),
    enum: fc.array(fc.oneof(metadefText, fc.jsonValue())),
    items: fc.record({ type: fc.constantFrom("string", "x"), enum: fc.jsonValue() }, { requiredKeys: [] }),
    minimum: fc.oneof(fc.double(), fc.constant("1")),
    default: fc.jsonValue(),
    extra: fc.jsonValue(),
  },
  { requiredKeys: ["title", "type"] },
);
const metadefObject = fc.record(
  { name: metadefText, required: fc.array(metadefText), properties: fc.dictionary(metadefText, metadefProperty) },
  { requiredKeys: [] },
);
const metadefNames = fc.array(fc.record({ name: metadefText, prefix: metadefText }, { requiredKeys: ["name"] }));
const metadefBody = fc.oneof(
  fc.record(
    {
      namespace: metadefText,
      description: metadefText,
      visibility: fc.constantFrom("public", "private", "shared"),
      owner: fc.constantFrom("p1", "", "p2"),
      protected: fc.oneof(fc.constant(false), fc.jsonValue()),
      properties: fc.dictionary(metadefText, metadefProperty),
      objects: fc.array(metadefObject),
      tags: metadefNames,
      resource_type_associations: metadefNames,
    },
    { requiredKeys: ["namespace"] },
  ),
  metadefObject,
  metadefProperty,
  fc.record({ tags: metadefNames }),
);

test("fuzz: definitions of nearly the right shape are taken or refused, and what was taken can be read", async () => {
  await using api = await apiWithImage();
  const headers = { "x-auth-token": "u:p1:member" };
  const base = `${api.url}/v2/metadefs/namespaces`;
  const target = fc.constantFrom("", "/N", "/N/objects", "/N/properties", "/N/tags", "/N/resource_types");
  await fc.assert(
    fc.asyncProperty(target, fc.constantFrom("POST", "PUT"), metadefBody, async (where, verb, value) => {
      const response = await fetch(base + where, { method: verb, headers, body: JSON.stringify(value) });
      const text = await response.text();
      assert(response.status < 500, `${response.status} ${text}`);
      const { self } = response.ok ? JSON.parse(text) : {};
      if (self !== undefined) assert.equal((await fetch(api.url + self, { headers })).status, 200, self);
      // The namespace may have got another name.
      if (where === "/N" && response.ok)
        await fetch(`${api.url}${self}`, { method: "PUT", headers, body: JSON.stringify({ namespace: "N" }) });
    }),
    runs,
  );
});
