// What every client meets first: versions, methods, errors, ids, before any image is looked at.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceError } from "../core/errors.ts";
import { noFeatures } from "../releases/api-versions.ts";
import { type ReleaseId, releaseOf, releases } from "../releases/catalogue.ts";
import { parseAnswer, type RawAnswer, sendRaw, startApi } from "./testing/api-server.ts";

const imageId = "11111111-1111-4111-8111-111111111111";

type Head = { method?: string; path: string; headers?: Record<string, string>; body?: string };

function send(port: number, { method = "GET", path, headers = {}, body = "" }: Head): Promise<RawAnswer> {
  const all = { host: "images.example", connection: "close", ...headers };
  const lines = Object.entries(body === "" ? all : { "content-length": String(body.length), ...all });
  const fields = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return sendRaw(port, `${method} ${path} HTTP/1.1\r\n${fields}\r\n${body}`);
}

const idsOf = (answer: RawAnswer): readonly string[] =>
  JSON.parse(answer.body).versions.map((version: { id: string }) => version.id);

test("versions: each release announces its own, without a token, and unknown paths answer 300", async () => {
  for (const release of releases) {
    await using api = await startApi({ release: release.id, flavor: "fakeauth" });
    for (const [path, status] of [
      ["/", 300],
      ["/nope", 300],
      ["/v1/images", 300],
      ["/v3/images", 300],
      ["/v2.99/images", 300],
      ["/V2/images", 300],
      ["/healthcheck/", 300],
      ["/.options", 300],
      ["/versions", 200],
      ["/versions?x=1", 200],
    ] as const) {
      const answer = await send(api.port, { path });
      assert.equal(answer.status, status, path);
      assert.deepEqual(
        idsOf(answer),
        release.apiVersions(noFeatures).map(({ id }) => id),
        path,
      );
      assert.equal(JSON.parse(answer.body).versions[0].links[0].href, "http://images.example/v2/");
      assert(!answer.headers.has("x-openstack-request-id"));
    }
  }
});

test("versions: the path segment may name any version of the release, and no newer one", async () => {
  const status = async (release: ReleaseId, path: string) => {
    await using api = await startApi({ release });
    return (await send(api.port, { path })).status;
  };
  for (const path of ["/v2/images", "/v2.0/images", "/v2.4/images", "//v2/images", "/v2//images", "/%762/images"])
    assert.equal(await status("newton", path), 200, path);
  assert.equal(await status("newton", "/v2.5/images"), 300);
  assert.equal(await status("ocata", "/v2.5/images"), 200);
});

test("versions: a node among older ones announces what they announce, and serves what it has", async () => {
  let announced = releaseOf("newton");
  await using api = await startApi({ release: "ocata", announced: async () => announced });
  assert.equal(idsOf(await send(api.port, { path: "/versions" }))[0], "v2.4");
  assert.equal((await send(api.port, { path: "/v2.5/images" })).status, 200);
  announced = releaseOf("ocata");
  assert.equal(idsOf(await send(api.port, { path: "/" }))[0], "v2.5");
});

test("versions: Accept may choose the version of a path without one", async () => {
  await using api = await startApi();
  const accept = (version: string) => ({ accept: `application/vnd.openstack.images-${version}` });
  assert.equal((await send(api.port, { path: "/images", headers: accept("v2.3") })).status, 200);
  assert.equal((await send(api.port, { path: "/v2/images", headers: accept("v2.3") })).status, 404);
  assert.equal((await send(api.port, { path: "/images", headers: accept("v9") })).status, 300);
});

test("versions: /v2 without its slash redirects, /v2/ is nothing", async () => {
  await using api = await startApi({ flavor: "fakeauth" });
  const known = { "x-auth-token": "u:p:member" };
  for (const method of ["GET", "HEAD", "POST"])
    assert.equal((await send(api.port, { method, path: "/v2" })).status, 401, method);
  for (const path of ["/", "/versions"])
    assert.equal((await send(api.port, { method: "HEAD", path })).status, path === "/" ? 300 : 200);
  const answer = await send(api.port, { path: "/v2", headers: known });
  assert.equal(answer.status, 302);
  assert.equal(answer.headers.get("location"), "http://images.example/v2/");
  assert.equal((await send(api.port, { path: "/v2/", headers: known })).status, 404);
});

test("methods: a path without that method answers 405 and lists those it has", async () => {
  await using api = await startApi();
  for (const [path, allow] of [
    ["/v2/images", "GET, POST"],
    [`/v2/images/${imageId}`, "GET, PATCH, DELETE"],
    [`/v2/images/${imageId}/file`, "GET, PUT"],
    [`/v2/images/${imageId}/members`, "GET, POST"],
    [`/v2/images/${imageId}/members/p1`, "GET, PUT, DELETE"],
    [`/v2/images/${imageId}/tags/t`, "PUT, DELETE"],
    [`/v2/images/${imageId}/actions/deactivate`, "POST"],
    ["/v2/schemas/image", "GET"],
    ["/v2/tasks/t", "GET"],
  ] as const)
    for (const method of ["HEAD", "TRACE", "FOO", "PROPFIND", "HELLO-WORLD"]) {
      const answer = await send(api.port, { method, path });
      assert.equal(answer.status, 405, `${method} ${path}`);
      assert.equal(answer.headers.get("allow"), allow, `${method} ${path}`);
      if (method === "HEAD") assert.equal(answer.body, "");
    }
});

test("methods: on an unknown path known methods answer 404, others 501, and OPTIONS always 200", async () => {
  await using api = await startApi();
  for (const path of ["/v2/nope", "/v2/images/", "/v2/metadefs", `/v2/images/${imageId}/tags`]) {
    for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"])
      assert.equal((await send(api.port, { method, path })).status, 404, `${method} ${path}`);
    for (const method of ["FOO", "LOCK"])
      assert.equal((await send(api.port, { method, path })).status, 501, `${method} ${path}`);
    assert.equal((await send(api.port, { method: "OPTIONS", path })).status, 200);
  }
});

test("bodies: routes without one refuse it, the list ignores it", async () => {
  await using api = await startApi();
  for (const [method, path] of [
    ["GET", `/v2/images/${imageId}`],
    ["GET", `/v2/images/${imageId}/file`],
    ["DELETE", `/v2/images/${imageId}`],
    ["PUT", `/v2/images/${imageId}/tags/t`],
    ["POST", `/v2/images/${imageId}/actions/deactivate`],
    ["GET", "/v2/schemas/image"],
  ] as const)
    assert.equal((await send(api.port, { method, path, body: "x" })).status, 400, `${method} ${path}`);
  assert.equal((await send(api.port, { path: "/v2/images", body: "x" })).status, 200);
});

test("bodies: JSON is needed, in UTF-8, an object, of any content type", async () => {
  await using api = await startApi();
  const post = async (body: string, headers: Record<string, string> = {}) =>
    (await send(api.port, { method: "POST", path: "/v2/images", body, headers })).status;
  for (const body of ["", "{", "[]", "1", '"x"', "null", "true", "\xff\xfe{}", '{"name":"\xff"}', "\xef\xbb\xbf{}"])
    assert.equal(await post(body), 400, JSON.stringify(body));
  assert.equal(await post("{}"), 201);
  for (const type of ["text/plain", "garbage", "multipart/form-data", "application/json; charset=latin1"])
    assert.equal(await post("{}", { "content-type": type }), 201, type);
  const chunked = { "transfer-encoding": "chunked" };
  const answer = await sendRaw(
    api.port,
    "POST /v2/images HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
  );
  assert.equal(answer.status, 201, JSON.stringify(chunked));
});

test("bodies: JSON without bound is refused, announced or not", async () => {
  await using api = await startApi();
  const big = `{"a":"${"x".repeat(2 ** 20)}"}`;
  assert.equal((await send(api.port, { method: "POST", path: "/v2/images", body: big })).status, 413);
  const chunk = "x".repeat(65_536);
  const chunks = `${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(40);
  const answer = await sendRaw(
    api.port,
    `POST /v2/images HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
  );
  assert.equal(answer.status, 413);
});

test("encoding: bytes that cannot be decoded are refused wherever they stand", async () => {
  await using api = await startApi();
  for (const path of ["/v2/images/%ff", "/v2/images/\xe9", "/v2/images?name=%ff", "/v2/images?%ff=a", "/%ff/images"])
    assert.equal((await send(api.port, { path })).status, 400, path);
  assert.equal((await send(api.port, { method: "PUT", path: `/v2/images/${imageId}/tags/%c3%28` })).status, 400);
  // No resource is called like that; as a tag it is refused by the domain.
  assert.equal((await send(api.port, { path: "/v2/images/%F0%9F%98%80" })).status, 404);
  assert.equal((await send(api.port, { path: `/v2/images/${imageId}/members/%F0%9F%98%80` })).status, 404);
  assert.equal((await send(api.port, { method: "PUT", path: `/v2/images/${imageId}/tags/%F0%9F%98%80` })).status, 400);
  // A percent sign alone is one.
  assert.equal((await send(api.port, { path: "/v2/images?name=50%" })).status, 200);
  assert.equal((await send(api.port, { method: "PUT", path: `/v2/images/${imageId}/tags/a%2fb` })).status, 404);
});

test("authentication: everything below /v2 needs a token, before it is said whether it exists", async () => {
  await using api = await startApi({ flavor: "fakeauth" });
  for (const [method, path] of [
    ["GET", "/v2/images"],
    ["GET", "/v2/nope"],
    ["PUT", "/v2/images"],
    ["POST", "/v2/images"],
  ] as const) {
    const answer = await send(api.port, { method, path });
    assert.equal(answer.status, 401, `${method} ${path}`);
    assert(answer.headers.has("www-authenticate"));
    assert(!answer.headers.has("x-openstack-request-id"));
  }
  assert.equal((await send(api.port, { path: "/v2/images", headers: { "x-auth-token": "nobody" } })).status, 401);
});

test("request ids: the client's is kept with the prefix, one is made where there is none, and a long one is refused", async () => {
  await using api = await startApi();
  const idFor = async (given: string | null) => {
    const headers: Record<string, string> = given === null ? {} : { "x-openstack-request-id": given };
    return (await send(api.port, { path: "/v2/images", headers })).headers.get("x-openstack-request-id") ?? "";
  };
  assert.equal(await idFor("foo"), "req-foo");
  assert.equal(await idFor("req-foo"), "req-foo");
  assert.match(await idFor(null), /^req-[0-9a-f-]{36}$/);
  assert.match(await idFor(""), /^req-[0-9a-f-]{36}$/);
  const long = await send(api.port, { path: "/v2/images", headers: { "x-openstack-request-id": "x".repeat(65) } });
  assert.equal(long.status, 431);
  const refused = await send(api.port, { path: "/v2/images/nope", headers: { "x-openstack-request-id": "abc" } });
  assert.equal(refused.headers.get("x-openstack-request-id"), "req-abc");
});

test("errors: the body follows Accept, and an empty Accept counts as none", async () => {
  await using api = await startApi();
  const typeFor = async (accept: string | null) => {
    const headers: Record<string, string> = accept === null ? {} : { accept };
    const answer = await send(api.port, { path: "/v2/images/nope", headers });
    assert.equal(answer.status, 404);
    return answer;
  };
  for (const accept of [null, "", "text/plain", "application/xml", "application/json;q=0"]) {
    const answer = await typeFor(accept);
    assert.equal(answer.headers.get("content-type"), "text/plain; charset=UTF-8", String(accept));
    assert.match(answer.body, /^404 Not Found\n\n/);
  }
  for (const accept of ["*/*", "text/html", "text/*", "garbage", "application/json;q=0.5, text/html"])
    assert.match((await typeFor(accept)).body, /<h1>404 Not Found<\/h1>/, accept);
  for (const accept of [
    "application/json",
    "application/*",
    "application/json, */*",
    "text/html;q=0.1,application/json",
  ]) {
    const { code, title, message } = JSON.parse((await typeFor(accept)).body);
    assert.deepEqual({ code, title }, { code: "404 Not Found", title: "Not Found" }, accept);
    assert.match(message, /nope/);
  }
});

test("errors: of a HEAD the answer has neither text nor the type of one, whatever Accept says", async () => {
  await using api = await startApi();
  for (const path of ["/v2/images/nope", "/v2/nope", "/v2/images"]) {
    const answer = await send(api.port, { method: "HEAD", path, headers: { accept: "application/json" } });
    assert(answer.status === 404 || answer.status === 405, path);
    assert.equal(answer.headers.get("content-type"), "text/html; charset=UTF-8");
    assert.equal(answer.body, "");
  }
});

test("errors: text from clients is escaped in HTML", async () => {
  await using api = await startApi();
  const answer = await send(api.port, { path: "/v2/images/%3Cscript%3E", headers: { accept: "text/html" } });
  assert(!answer.body.includes("<script>"));
});

test("errors: what was not expected is 500 and tells nothing; a database that is away is 503 and worth another try", async () => {
  await using api = await startApi();
  const fault = (error: Error) => api.fixture.database.faults.set("images.list", error);
  fault(new Error("secret: password of db.example"));
  const broken = await send(api.port, { path: "/v2/images" });
  assert.equal(broken.status, 500);
  assert(!broken.body.includes("secret"));
  assert(broken.headers.has("x-openstack-request-id"));
  fault(new ServiceError("db.unreachable", "No connection to db.example:3306."));
  const away = await send(api.port, { path: "/v2/images" });
  assert.equal(away.status, 503);
  assert(!away.body.includes("db.example"));
  assert.equal(away.headers.get("retry-after"), "5");
});

test("draining: every answer carries Connection: close, errors too", async () => {
  await using api = await startApi();
  api.gate.draining = true;
  const ask = (path: string) => fetch(`${api.url}${path}`, { headers: { connection: "keep-alive" } });
  for (const path of ["/v2/images", "/v2/images/nope", "/versions", "/healthcheck", "/v2/schemas/image"])
    assert.equal((await ask(path)).headers.get("connection"), "close", path);
  api.gate.draining = false;
  assert.equal((await ask("/v2/images")).headers.get("connection"), "keep-alive");
});

test("healthcheck: 200 or 503 with the reason, in the type that is asked for", async () => {
  await using api = await startApi({ flavor: "fakeauth" });
  const ask = (accept?: string) =>
    send(api.port, { path: "/healthcheck", headers: accept === undefined ? {} : { accept } });
  assert.deepEqual([(await ask()).status, (await ask()).body], [200, "OK"]);
  assert.equal((await send(api.port, { method: "HEAD", path: "/healthcheck" })).status, 204);
  api.gate.unfit = "DISABLED BY FILE";
  assert.deepEqual([(await ask("image/png")).status, (await ask("image/png")).body], [503, "DISABLED BY FILE"]);
  assert.deepEqual(JSON.parse((await ask("application/json")).body), {
    detailed: false,
    reasons: ["DISABLED BY FILE"],
  });
  assert.match((await ask("text/html")).headers.get("content-type") ?? "", /html/);
  assert.equal((await send(api.port, { method: "HEAD", path: "/healthcheck" })).status, 503);
});

test("metrics: requests are counted by route, not by path, and none stays in flight", async () => {
  await using api = await startApi();
  await send(api.port, { path: "/v2/images/nope" });
  await send(api.port, { path: "/v2/images/nada" });
  const { body } = await send(api.port, { path: "/metrics" });
  assert.match(body, /perennial_api_requests_total\{method="GET",route="\/images\/:imageId",status="4xx"\} 2/);
  // The one that asks.
  assert.match(body, /perennial_api_requests_in_flight 1\n/);
});

test("parser: garbage, headers without end and requests without a host get an answer, not silence", async () => {
  await using api = await startApi();
  assert.equal((await sendRaw(api.port, "garbage\r\n\r\n")).status, 400);
  assert.equal((await sendRaw(api.port, "GET /v2/images HTTP/9.9\r\n\r\n")).status, 400);
  assert.equal(
    (await sendRaw(api.port, "GET /v2/images HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n")).status,
    400,
  );
  const long = `GET /v2/images HTTP/1.1\r\nHost: h\r\nX-Long: ${"x".repeat(70_000)}\r\n\r\n`;
  assert.equal((await sendRaw(api.port, long)).status, 431);
  assert.equal((await sendRaw(api.port, "GET /v2/images HTTP/1.0\r\n\r\n")).status, 200);
  const absolute = "GET http://other:1/v2/images HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  assert.equal((await sendRaw(api.port, absolute)).status, 200);
  const gzip = "POST /v2/images HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\n{}";
  assert.equal((await sendRaw(api.port, gzip)).status, 400);
});

test("parser: CONNECT leads nowhere", async () => {
  await using api = await startApi();
  assert.equal((await sendRaw(api.port, "CONNECT other:1 HTTP/1.1\r\nHost: h\r\n\r\n")).status, 501);
});

test("parser: garbage after an answered request is refused on the same connection", async () => {
  await using api = await startApi();
  const answer = await sendRaw(api.port, "GET /v2/images HTTP/1.1\r\nHost: h\r\n\r\ngarbage\r\n\r\n");
  assert.equal(answer.status, 200);
  const second = answer.body.slice(answer.body.indexOf("HTTP/1.1"));
  assert.equal(parseAnswer(second).status, 400);
});
