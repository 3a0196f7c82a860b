// What the flavor and the paste file turn on; Debian's own paste file among those read.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { loadConfig } from "../../core/config.ts";
import { isServiceError } from "../../core/errors.ts";
import { apiOptionGroups, readApiSettings } from "../config.ts";
import { startApi } from "../testing/api-server.ts";
import { readDisableFiles, readHealthcheckPath } from "./healthcheck.ts";
import { type Pipeline, readPipeline } from "./pipeline.ts";

const debianFile = "/etc/glance/glance-api-paste.ini";

function configOf(t: TestContext, settings: string, files: Readonly<Record<string, string | null>> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "perennial-pipeline-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    if (text === null) copyFileSync(debianFile, join(folder, name));
    else writeFileSync(join(folder, name), text);
  }
  const file = join(folder, "glance-api.conf");
  writeFileSync(file, settings);
  return loadConfig({ files: [file], groups: apiOptionGroups });
}

const flavored = (flavor: string) => `[paste_deploy]\nflavor = ${flavor}\n`;
const on = (pipeline: Pipeline) =>
  (["cors", "gzip", "healthcheck", "proxyHeaders", "cache", "cacheManagement"] as const).filter(
    (name) => pipeline[name] !== null,
  );
const refused = (message: RegExp) => (error: unknown) =>
  isServiceError(error, "config.invalid") && message.test(error.message);
const usual = ["cors", "healthcheck", "proxyHeaders"];

test("pipeline: without a paste file each flavor says who callers are and whether images are cached", (t) => {
  const cases: readonly (readonly [string, Pipeline["callers"], readonly string[]])[] = [
    ["", "none", usual],
    ["none", "none", usual],
    ["keystone", "keystone", usual],
    ["keystone+caching", "keystone", [...usual, "cache"]],
    ["keystone+cachemanagement", "keystone", [...usual, "cache", "cacheManagement"]],
    ["caching", "none", [...usual, "cache"]],
    ["cachemanagement", "none", [...usual, "cache", "cacheManagement"]],
    ["trusted-auth", "headers", usual],
    ["trusted-auth+cachemanagement", "headers", [...usual, "cache", "cacheManagement"]],
    ["fakeauth", "fakeauth", usual],
  ];
  for (const [flavor, callers, filters] of cases) {
    const pipeline = readPipeline(configOf(t, flavored(flavor)));
    assert.deepEqual([pipeline.callers, on(pipeline), pipeline.file], [callers, filters, null], flavor);
  }
  assert.throws(() => readPipeline(configOf(t, flavored("keystoen"))), refused(/"keystoen".*none.*keystone\+caching/));
});

test("pipeline: Debian's paste file beside the configuration is read, for each of its flavors", (t) => {
  for (const [flavor, callers, filters] of [
    ["", "none", usual],
    ["caching", "none", [...usual, "cache"]],
    ["keystone", "keystone", usual],
    ["keystone+cachemanagement", "keystone", [...usual, "cache", "cacheManagement"]],
  ] as const) {
    const config = configOf(t, flavored(flavor), { "glance-api-paste.ini": null });
    const pipeline = readPipeline(config);
    assert.deepEqual([pipeline.callers, on(pipeline)], [callers, filters], flavor);
    assert.match(pipeline.file ?? "", /glance-api-paste\.ini$/);
    assert.deepEqual(pipeline.warnings, []);
    assert.equal(pipeline.cors?.oslo_config_program, "glance-api");
    assert.equal(pipeline.authtoken.delay_auth_decision, callers === "keystone" ? "true" : undefined);
    assert.deepEqual(readDisableFiles(config, pipeline, 9292), ["/etc/glance/healthcheck_disable"]);
  }
});

test("pipeline: a flavor the paste file has no pipeline for is refused, and the message lists those it has", (t) => {
  const config = configOf(t, flavored("fakeauth"), { "glance-api-paste.ini": null });
  assert.throws(
    () => readPipeline(config),
    refused(/glance-api-paste\.ini has pipelines only for: none, caching, .*keystone/),
  );
});

const composite = `
[DEFAULT]
shared = all
[composite:glance-api-keystone]
paste.composite_factory = glance.api:root_app_factory
/: api
/healthcheck-of-old: healthcheck
[pipeline:api]
pipeline =
  cors squeeze  http_proxy_to_wsgi mystery authtoken
  context rootapp
[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
/: apiversions
/v2: apiv2app
[app:apiversions]
paste.app_factory = glance.api.versions:create_resource
[app:apiv2app]
paste.app_factory = glance.api.v2.router:API.factory
[app:healthcheck]
paste.app_factory = oslo_middleware:Healthcheck.app_factory
backends = disable_by_files_ports
disable_by_file_paths = 9292:%(here)s/one,9393:/run/two
[filter:squeeze]
paste.filter_factory = glance.api.middleware.gzip:GzipMiddleware.factory
[filter:mystery]
paste.filter_factory = company.audit:factory
[filter:basecors]
paste.filter_factory =
  oslo_middleware.cors:filter_factory
allowed_origin = https://one.example
max-age = 1
[filter:cors]
use = basecors
set max-age = 60
[filter:http_proxy_to_wsgi]
use = egg:oslo.middleware#http_proxy_to_wsgi
enable_proxy_headers_parsing = on
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
`;

test("pipeline: composites lead by path, sections stand on others, and filters are told by their programs", (t) => {
  const config = configOf(t, `${flavored("keystone")}config_file = mine.ini\n`, { "mine.ini": composite });
  const pipeline = readPipeline(config);
  assert.deepEqual(on(pipeline), ["cors", "gzip", "healthcheck", "proxyHeaders"]);
  assert.equal(pipeline.callers, "keystone");
  assert.deepEqual(pipeline.cors, { shared: "all", allowed_origin: "https://one.example", max_age: "60" });
  assert.equal(pipeline.warnings.length, 1);
  assert.match(pipeline.warnings[0] ?? "", /mine\.ini.*left out: mystery$/);
  assert.equal(readHealthcheckPath(config, pipeline), "/healthcheck-of-old");
  assert.match(readDisableFiles(config, pipeline, 9292).join(), /^\/.*perennial-pipeline-\w+\/one$/);
  assert.deepEqual(readDisableFiles(config, pipeline, 1), []);
  assert.equal(readApiSettings(config).trustProxyHeaders, true);
});

test("pipeline: proxy headers are believed only where the pipeline has their filter", (t) => {
  const believe = "[oslo_middleware]\nenable_proxy_headers_parsing = true\n";
  assert.equal(readApiSettings(configOf(t, believe)).trustProxyHeaders, true);
  const without = `[pipeline:glance-api]\npipeline = unauthenticated-context app\n[app:app]\npaste.app_factory = x:y
[filter:unauthenticated-context]\npaste.filter_factory = glance.api.middleware.context:UnauthenticatedContextMiddleware.factory\n`;
  const config = configOf(t, believe, { "glance-api-paste.ini": without });
  assert.equal(readApiSettings(config).trustProxyHeaders, false);
  assert.deepEqual(on(readPipeline(config)), []);
});

test("pipeline: what a paste file gets wrong is refused with the file's name", (t) => {
  const app = "[app:app]\npaste.app_factory = x:y\n";
  const wrong: readonly (readonly [string, RegExp])[] = [
    [
      "[pipeline:glance-api]\npipeline = cors app\n",
      /paste\.ini: "cors" stands in a pipeline, but there is no \[filter:cors\]/,
    ],
    ["[pipeline:glance-api]\npipeline = app\n", /"app" is named as an application/],
    [`[pipeline:glance-api]\npipeline = app\n${app}`, /says nowhere who callers are/],
    ["[composite:glance-api]\n/: glance-api\n", /leads to itself/],
    ["[pipeline:glance-api\n", /paste\.ini, line 1/],
    ["[filter:x]\na = b\n", /no pipeline at all/],
  ];
  for (const [text, message] of wrong)
    assert.throws(() => readPipeline(configOf(t, "", { "glance-api-paste.ini": text })), refused(message), text);
  assert.throws(
    () => readPipeline(configOf(t, "[paste_deploy]\nconfig_file = gone.ini\n")),
    refused(/gone\.ini does not exist/),
  );
  const proxy = configOf(t, "", {
    "glance-api-paste.ini": `[pipeline:glance-api]\npipeline = p c app\n${app}[filter:p]\nuse = egg:oslo.middleware#http_proxy_to_wsgi
enable_proxy_headers_parsing = maybe\n[filter:c]\npaste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory\n`,
  });
  assert.equal(readPipeline(proxy).callers, "headers");
  assert.throws(
    () => readApiSettings(proxy),
    refused(/enable_proxy_headers_parsing in the paste file.*"maybe" is not allowed/),
  );
});

test("pipeline: the health check answers on the operator's path, and where rollouts ask for it", async () => {
  await using api = await startApi({ settings: { healthcheckPath: "/alive" } });
  for (const path of ["/alive", "/healthcheck"]) {
    const response = await fetch(`${api.url}${path}`);
    assert.deepEqual([response.status, await response.text()], [200, "OK"]);
  }
  assert.equal((await fetch(`${api.url}/alive2`)).status, 300);
});
