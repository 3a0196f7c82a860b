// Pages of other origins, and clients that take gzip: what the pipeline's filters add to answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { GroupValues, OptionGroup } from "../core/options.ts";
import { type CorsRules, readCorsRules } from "./cors.ts";
import { takesGzip } from "./gzip.ts";
import { sendRaw, startApi } from "./testing/api-server.ts";

const page = "https://dashboard.example";

/** `filter`: options of the paste file's section. */
function rules(filter: Record<string, string>): CorsRules | null {
  const config = {
    read: <G extends OptionGroup>(group: G) =>
      Object.fromEntries(Object.entries(group.options).map(([name, spec]) => [name, spec.default])) as GroupValues<G>,
  };
  return readCorsRules(config, { cors: filter });
}

async function ask(cors: CorsRules | null, method: string, path: string, headers: Record<string, string>) {
  await using api = await startApi({ settings: { cors } });
  const fields = Object.entries({ host: "images.example", connection: "close", ...headers });
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const answer = await sendRaw(api.port, `${method} ${path} HTTP/1.1\r\n${lines}\r\n`);
  const own = [...answer.headers].filter(([name]) => name.startsWith("access-control-") || name === "vary");
  return { status: answer.status, headers: Object.fromEntries(own) };
}

test("CORS: answers to an allowed page, failures too, say that it may read them, and which headers of them", async () => {
  const cors = rules({ allowed_origin: `${page},https://other.example`, expose_headers: "X-A,X-B" });
  for (const [path, status] of [
    ["/v2/images", 200],
    ["/v2/images/none", 404],
    ["/versions", 200],
  ] as const)
    assert.deepEqual(await ask(cors, "GET", path, { origin: page }), {
      status,
      headers: {
        vary: "Origin",
        "access-control-allow-origin": page,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "X-A,X-B",
      },
    });
});

test("CORS: other pages, and clients that are no pages, get an answer without a word of it", async () => {
  const cors = rules({ allowed_origin: page });
  assert.deepEqual(await ask(cors, "GET", "/v2/images", { origin: "https://evil.example" }), {
    status: 200,
    headers: {},
  });
  assert.deepEqual(await ask(cors, "GET", "/v2/images", {}), { status: 200, headers: {} });
  const asked = { origin: "https://evil.example", "access-control-request-method": "GET" };
  assert.deepEqual(await ask(cors, "OPTIONS", "/v2/images", asked), { status: 200, headers: {} });
  assert.equal(rules({}), null);
});

test("CORS: a browser that asks beforehand hears all of what it asked for, or nothing", async () => {
  const cors = rules({ allowed_origin: page, max_age: "60", allow_credentials: "false" });
  const preflight = (method: string, headers: string) =>
    ask(cors, "OPTIONS", "/v2/images", {
      origin: page,
      "access-control-request-method": method,
      "access-control-request-headers": headers,
    });
  assert.deepEqual(await preflight("PATCH", "x-auth-token, content-type"), {
    status: 200,
    headers: {
      vary: "Origin",
      "access-control-allow-origin": page,
      "access-control-max-age": "60",
      "access-control-allow-methods": "PATCH",
      "access-control-allow-headers": "x-auth-token,content-type",
    },
  });
  assert.deepEqual((await preflight("PATCH", "x-auth-token, x-secret")).headers, {});
  assert.deepEqual((await preflight("TRACE", "")).headers, {});
  assert.deepEqual((await ask(cors, "OPTIONS", "/v2/images", { origin: page })).headers, {});
  assert.equal((await ask(cors, "OPTIONS", "/versions", { origin: page })).status, 200);
});

test("CORS: where every origin is allowed no user's credentials are", async () => {
  const { headers } = await ask(rules({ allowed_origin: "*", expose_headers: "" }), "GET", "/v2/images", {
    origin: page,
  });
  assert.deepEqual(headers, { vary: "Origin", "access-control-allow-origin": "*" });
});

test("gzip: texts are compressed for who takes it, image data and short answers never", async () => {
  await using api = await startApi({ settings: { gzip: true, cors: rules({ allowed_origin: page }) } });
  const get = async (path: string, encoding: string) => {
    const request = `GET ${path} HTTP/1.1\r\nhost: h\r\norigin: ${page}\r\naccept-encoding: ${encoding}\r\nconnection: close\r\n\r\n`;
    const answer = await sendRaw(api.port, request);
    return { encoding: answer.headers.get("content-encoding"), vary: answer.headers.get("vary"), body: answer.body };
  };
  const plain = await get("/v2/schemas/image", "identity");
  assert.deepEqual([plain.encoding, plain.vary], [undefined, "Origin, Accept-Encoding"]);
  assert.equal((await get("/v2/schemas/image", "br, gzip;q=0.5")).encoding, "gzip");
  assert.equal((await get("/v2/images", "gzip")).encoding, undefined);
  const response = await fetch(`${api.url}/v2/schemas/image`, { headers: { "accept-encoding": "gzip" } });
  assert.equal(response.headers.get("content-encoding"), "gzip");
  assert.equal(await response.text(), plain.body);
  const made = await fetch(`${api.url}/v2/images`, {
    method: "POST",
    body: JSON.stringify({ disk_format: "raw", container_format: "bare" }),
  });
  const { id } = (await made.json()) as { id: string };
  const url = `${api.url}/v2/images/${id}/file`;
  const data = "x".repeat(5000);
  await fetch(url, { method: "PUT", headers: { "content-type": "application/octet-stream" }, body: data });
  const file = await fetch(url, { headers: { "accept-encoding": "gzip" } });
  assert.deepEqual([file.headers.get("content-encoding"), await file.text()], [null, data]);
});

test("gzip: weights are understood", () => {
  for (const [header, takes] of [
    [undefined, false],
    ["gzip", true],
    ["*", true],
    ["gzip;q=0, *", false],
    ["deflate, gzip; Q=0.1", true],
    ["identity", false],
  ] as const)
    assert.equal(takesGzip(header), takes, String(header));
});
