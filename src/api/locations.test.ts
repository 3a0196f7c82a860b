// /v2/images/{id}/locations over HTTP with the default policies: who may, from which release on, and what is answered.
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebStore } from "../images/testing/web-store.ts";
import { startApi } from "./testing/api-server.ts";

const root = "root:ops:admin";

async function ready(release: "2024.1" | "2024.2" | "2026.1") {
  const web = new WebStore();
  const api = await startApi({ flavor: "fakeauth", release, stores: [web.named] });
  const ask = async (token: string, method: string, path: string, body?: unknown) => {
    const init = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
    const headers = { "x-auth-token": token };
    const response = await fetch(`${api.url}/v2/images${path}`, { method, headers, ...init });
    return { status: response.status, text: await response.text(), allow: response.headers.get("allow") };
  };
  const create = async () => {
    const image = { owner: "own", disk_format: "raw", container_format: "bare", visibility: "private" };
    return `/${JSON.parse((await ask(root, "POST", "", image)).text).id}/locations`;
  };
  return { api, ask, create, url: web.add("disk", Buffer.from("data")) };
}

test("locations: the path is there from 2024.2 on", async () => {
  for (const release of ["2024.1", "2024.2"] as const) {
    const { api, ask, create, url } = await ready(release);
    await using _ = api;
    const path = await create();
    const there = release === "2024.2";
    assert.equal((await ask(root, "GET", path)).status, there ? 200 : 404);
    assert.equal((await ask(root, "POST", path, { url })).status, there ? 202 : 404);
    if (there) assert.deepEqual((await ask(root, "PUT", path, { url })).allow, "GET, POST");
  }
});

test("locations: services and admins see them, owners give them, and foreign images are not there", async () => {
  const { api, ask, create, url } = await ready("2026.1");
  await using _ = api;
  // A token's roles, what adding is answered, and what seeing is.
  const table: readonly (readonly [string, number, number])[] = [
    ["s:own:service,reader", 202, 200],
    ["s:far:service,reader", 404, 404],
    ["u:own:member", 202, 403],
    ["u:own:reader", 403, 403],
    ["u:far:member", 404, 404],
    [root, 202, 200],
  ];
  for (const [token, adding, seeing] of table) {
    const path = await create();
    assert.equal((await ask(token, "POST", path, { url })).status, adding, token);
    if (adding !== 202) assert.equal((await ask(root, "POST", path, { url })).status, 202);
    assert.equal((await ask(root, "POST", path, { url })).status, 409, "not queued any more");
    const seen = await ask(token, "GET", path);
    assert.equal(seen.status, seeing, token);
    if (seeing === 200) assert.deepEqual(JSON.parse(seen.text), [{ url, metadata: { store: "web" } }]);
  }
});

test("locations: bodies that do not fit are refused", async () => {
  const { api, ask, create, url } = await ready("2026.1");
  await using _ = api;
  const path = await create();
  for (const body of ["nonsense", [], {}, { url: 1 }, { url, more: 1 }, { url: "http://web/absent" }])
    assert.equal((await ask(root, "POST", path, body)).status, 400, JSON.stringify(body));
  // Whatever an admin is, it is no service.
  for (const refused of ["file:///etc/passwd", "swift+config://a/b/c", "ftp://web/disk"])
    assert.equal((await ask(root, "POST", path, { url: refused })).status, 403);
  assert.equal((await ask("s:own:service,reader", "POST", path, { url: "file:///etc/passwd" })).status, 400);
  assert.equal((await ask(root, "GET", path)).text, "[]");
});
