// Links point to where the client came from, through whatever stands in between, and only on the word of a trusted proxy.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadConfig } from "../core/config.ts";
import { isServiceError } from "../core/errors.ts";
import { noFeatures } from "../releases/api-versions.ts";
import { type ApiSettings, apiOptionGroups, readApiSettings } from "./config.ts";
import { startApi } from "./testing/api-server.ts";

async function hrefFor(settings: Partial<ApiSettings>, headers: Record<string, string>): Promise<string> {
  await using api = await startApi({ settings });
  const response = await fetch(`${api.url}/versions`, { headers });
  const { versions } = (await response.json()) as { versions: { links: { href: string }[] }[] };
  return (versions[0]?.links[0]?.href ?? "").replace(`127.0.0.1:${api.port}`, "HOST");
}

test("links: by default the request says where it came to, and proxy headers are not believed", async () => {
  assert.equal(await hrefFor({}, { "x-forwarded-proto": "https", "x-forwarded-host": "evil" }), "http://HOST/v2/");
});

test("links: public_endpoint wins over everything", async () => {
  const settings = { publicEndpoint: "https://images.example/glance", trustProxyHeaders: true };
  assert.equal(await hrefFor(settings, { "x-forwarded-host": "other" }), "https://images.example/glance/v2/");
});

test("links: a trusted proxy may tell scheme, host, port and prefix", async () => {
  const trusting = { trustProxyHeaders: true };
  for (const [headers, expected] of [
    [{ "x-forwarded-proto": "https" }, "https://HOST/v2/"],
    [{ "x-forwarded-proto": "https, http", "x-forwarded-host": "a.example, b" }, "https://a.example/v2/"],
    [{ "x-forwarded-host": "a.example", "x-forwarded-port": "8443" }, "http://a.example:8443/v2/"],
    [{ "x-forwarded-host": "a.example", "x-forwarded-prefix": "/image/" }, "http://a.example/image/v2/"],
    [{ forwarded: 'for=1.2.3.4;host="a.example:99";proto=https, for=b' }, "https://a.example:99/v2/"],
    [{ "x-forwarded-proto": "javascript", "x-forwarded-host": "a b/c" }, "http://HOST/v2/"],
  ] as const)
    assert.equal(await hrefFor(trusting, headers), expected, JSON.stringify(headers));
});

test("links: secure_proxy_ssl_header tells the scheme alone", async () => {
  assert.equal(await hrefFor({ schemeHeader: "x-scheme" }, { "x-scheme": "HTTPS" }), "https://HOST/v2/");
  assert.equal(await hrefFor({ schemeHeader: "x-scheme" }, { "x-scheme": "ftp" }), "http://HOST/v2/");
});

test("links: Location of a new image is absolute", async () => {
  await using api = await startApi({ settings: { publicEndpoint: "https://images.example" } });
  const response = await fetch(`${api.url}/v2/images`, { method: "POST", body: "{}" });
  const { id } = (await response.json()) as { id: string };
  assert.equal(response.headers.get("location"), `https://images.example/v2/images/${id}`);
});

test("config: the API's options have Glance's defaults", () => {
  const config = loadConfig({ files: [], groups: apiOptionGroups });
  assert.deepEqual(readApiSettings(config), {
    publicEndpoint: null,
    requestIdCharsMax: 64,
    schemeHeader: null,
    trustProxyHeaders: false,
    healthcheckPath: "/healthcheck",
    features: noFeatures,
    olderCacheRoutes: false,
    cors: null,
    gzip: false,
  });
});

test("config: public_endpoint must be a URL, and a header may be named as WSGI names it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-api-"));
  const file = join(folder, "glance-api.conf");
  const read = async (text: string) => {
    await writeFile(file, `[DEFAULT]\n${text}\n`);
    return readApiSettings(loadConfig({ files: [file], groups: apiOptionGroups }));
  };
  try {
    assert.equal(
      (await read("public_endpoint = https://images.example/x/")).publicEndpoint,
      "https://images.example/x",
    );
    assert.equal((await read("secure_proxy_ssl_header = HTTP_X_FORWARDED_PROTO")).schemeHeader, "x-forwarded-proto");
    for (const bad of ["images.example", "ftp://images.example", "https://images.example/?a=b", "https://"])
      await assert.rejects(read(`public_endpoint = ${bad}`), (error) => isServiceError(error, "config.invalid"), bad);
  } finally {
    await rm(folder, { recursive: true });
  }
});
