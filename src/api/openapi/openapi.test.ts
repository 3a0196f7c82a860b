// The API's description is true: of every release, every route is in it and nothing else; it is of one piece; and answers are what it says.
import assert from "node:assert/strict";
import { test } from "node:test";
import { namedStores } from "../../images/testing/fixture.ts";
import { newestRelease, type ReleaseId, releaseOf, releases } from "../../releases/catalogue.ts";
import type { RouteChoice } from "../route.ts";
import { routesOf } from "../route-table.ts";
import { startApi, type TestApi } from "../testing/api-server.ts";
import { describeApi, operationsOf } from "./document.ts";
import { Contract, type Description } from "./testing/contract.ts";

function choiceOf(release: ReleaseId): RouteChoice {
  const { capabilities } = releaseOf(release);
  return {
    capabilities,
    images: { ...capabilities, resumableSeconds: 60 },
    settings: { olderCacheRoutes: true },
    services: { imports: { methods: capabilities.importMethods } },
  };
}

async function descriptionOf(api: TestApi): Promise<Description> {
  const response = await fetch(`${api.url}/openapi.json`);
  assert.equal(response.status, 200);
  return (await response.json()) as Description;
}

const owner = { "x-auth-token": "u:p1:member" };

for (const { id: release } of releases)
  test(`openapi, ${release}: the description has every route, and each of its calls is one`, async () => {
    const images = { resumableSeconds: 60 };
    await using api = await startApi({ flavor: "fakeauth", release, images, settings: { olderCacheRoutes: true } });
    const description = await descriptionOf(api);
    const described = Object.entries(description.paths).flatMap(([path, calls]) =>
      Object.keys(calls).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routes = routesOf(choiceOf(release)).map(
      ({ method, path }) => `${method} /v2${path.replaceAll(/:(\w+)/g, "{$1}")}`,
    );
    assert.deepEqual(described.filter((call) => call.includes(" /v2/")).sort(), [...routes].sort());
    for (const [path, calls] of Object.entries(description.paths)) {
      const url = api.url + path.replaceAll(/\{\w+\}/g, "x");
      if (!path.startsWith("/v2/")) {
        const { status } = await fetch(url);
        assert(calls.get?.responses[status], `GET ${path}: ${status}`);
        continue;
      }
      // What the description does not have is refused, with the methods it has.
      const refused = await fetch(url, { method: "PROPFIND", headers: owner });
      assert.equal(refused.status, 405, path);
      const allowed = refused.headers.get("allow")?.toLowerCase().split(", ").sort();
      assert.deepEqual(allowed, Object.keys(calls).sort(), path);
    }
  });

test("openapi: every call that is described exists at some release", () => {
  const routes = new Set(
    releases.flatMap(({ id }) => routesOf(choiceOf(id)).map(({ method, path }) => `${method} ${path}`)),
  );
  for (const call of Object.keys(operationsOf(newestRelease.capabilities))) assert(routes.has(call), call);
});

test("openapi: references lead somewhere, names of calls are unique, and parameters of a path are all described", () => {
  for (const { id } of releases) {
    const choice = choiceOf(id);
    const text = describeApi(routesOf(choice), choice);
    const description: Description = JSON.parse(text);
    for (const [, pointer = ""] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const found = pointer
        .split("/")
        .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], description);
      assert(found, `${id}: ${pointer}`);
    }
    const ids = Object.values(description.paths).flatMap((calls) => Object.values(calls).map((one) => one.operationId));
    assert.equal(new Set(ids).size, ids.length);
    for (const [path, calls] of Object.entries(description.paths))
      for (const [method, { parameters = [] }] of Object.entries(calls)) {
        const inPath = parameters.filter((one) => one.in === "path").map(({ name }) => `{${name}}`);
        assert.deepEqual(inPath, path.match(/\{\w+\}/g) ?? [], `${method} ${path}`);
      }
  }
});

test("openapi: it says where it was asked for", async () => {
  await using api = await startApi({ settings: { publicEndpoint: "https://images.example/v" } });
  assert.deepEqual((await descriptionOf(api)).servers, [{ url: "https://images.example/v" }]);
});

test("openapi: answers are what the description says, good ones and refusals", async () => {
  const stores = namedStores(["a", "b"]);
  const images = { showLocations: true };
  await using api = await startApi({ flavor: "fakeauth", release: newestRelease.id, stores, images });
  const contract = new Contract(await descriptionOf(api));
  const root = "root:ops:admin";
  let last = "";
  const call = async (method: string, path: string, params: readonly string[], more: Call = {}) => {
    const { body, type, token = root, expect = 200, accept } = more;
    let at = 0;
    const url = api.url + path.replaceAll(/\{\w+\}/g, () => params[at++] ?? "");
    const response = await fetch(url, {
      method,
      headers: { "x-auth-token": token, ...(type ? { "content-type": type } : {}), ...(accept ? { accept } : {}) },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    last = await response.text();
    assert.equal(response.status, expect, `${method} ${url}: ${last}`);
    const answer = { status: response.status, contentType: response.headers.get("content-type") ?? "", body: last };
    assert.equal(contract.mistake(method, path, answer), null, `${method} ${url}: ${last}`);
  };
  for (const accept of ["application/json", "text/html", "text/plain"])
    await call("GET", "/healthcheck", [], { accept });
  const image = "/v2/images/{imageId}";
  const formats = { disk_format: "raw", container_format: "bare" };
  await call("POST", "/v2/images", [], { body: { name: "n", k: "v", tags: ["t"], ...formats }, expect: 201 });
  const { id } = JSON.parse(last);
  await call("PUT", `${image}/file`, [id], { type: "application/octet-stream", body: "data", expect: 204 });
  await call("GET", "/v2/images", []);
  await call("GET", image, [id]);
  await call("PATCH", image, [id], {
    type: "application/openstack-images-v2.1-json-patch",
    body: [{ op: "replace", path: "/name", value: null }],
  });
  await call("GET", `${image}/file`, [id]);
  await call("POST", `${image}/members`, [id], { body: { member: "guest" } });
  await call("GET", `${image}/members`, [id]);
  await call("POST", `${image}/members`, [id], { body: { member: "guest" }, expect: 409 });
  await call("GET", `${image}/tasks`, [id]);
  for (const path of ["stores", "stores/detail", "import", "usage"]) await call("GET", `/v2/info/${path}`, []);
  for (const path of ["image", "task", "metadefs/namespace"]) await call("GET", `/v2/schemas/${path}`, []);
  await call("GET", "/v2/tasks", []);
  await call("POST", "/v2/tasks", [], {
    body: { type: "import", input: { import_from: "http://127.0.0.1:9/x", image_properties: formats } },
    expect: 201,
  });
  const namespace = "/v2/metadefs/namespaces/{namespace}";
  const one = { name: "o", properties: { p: { title: "P", type: "integer", minimum: 1 } } };
  await call("POST", "/v2/metadefs/namespaces", [], {
    body: { namespace: "N", objects: [one], tags: [{ name: "t" }], resource_type_associations: [{ name: "R" }] },
    expect: 201,
  });
  for (const path of ["/v2/metadefs/namespaces", "/v2/metadefs/resource_types"]) await call("GET", path, []);
  for (const path of ["", "/objects", "/properties", "/tags", "/resource_types"])
    await call("GET", namespace + path, ["N"]);
  await call("POST", `${namespace}/properties`, ["N"], {
    body: { name: "p", title: "P", type: "string" },
    expect: 201,
  });
  await call("GET", `${namespace}/properties/{property}`, ["N", "p"]);
  for (const accept of ["application/json", "text/html", "text/plain"]) {
    await call("GET", image, ["none"], { accept, expect: 404 });
    await call("GET", image, [id], { accept, expect: 401, token: "" });
    await call("DELETE", image, [id], { accept, expect: 404, token: "u:far:member" });
    await call("POST", "/v2/images", [], { accept, expect: 400, body: "[" });
  }
  // Nodes beside this one have stores that it has not.
  const far = { url: "memory://far/1", metadata: { store: "far" }, status: "active" };
  api.fixture.database.write(id, { locations: [far, { ...far, url: "memory://far/2" }] });
  await call("GET", `${image}/file`, [id], { expect: 501 });
  await call("PATCH", image, [id], {
    type: "application/openstack-images-v2.1-json-patch",
    body: [{ op: "remove", path: "/locations/0" }],
    expect: 501,
  });
  await call("POST", `${image}/import`, [id], {
    body: { method: { name: "copy-image" }, stores: ["b"] },
    expect: 501,
  });
  await call("DELETE", image, [id], { expect: 501 });
});

type Call = {
  readonly body?: unknown;
  readonly type?: string;
  readonly token?: string;
  readonly accept?: string;
  readonly expect?: number;
};
