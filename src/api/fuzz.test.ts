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
