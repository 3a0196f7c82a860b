// Metadata definitions over HTTP: what the comparison with the reference (test/compat) cannot show, because releases differ, or because the
// reference fails.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi, type TestApi } from "./testing/api-server.ts";

const path = "/v2/metadefs/namespaces";

async function ask(api: TestApi, method: string, target: string, body?: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const init = { method, headers, ...(text === undefined ? {} : { body: text }) };
  const response = await fetch(api.url + target, init);
  return { status: response.status, text: await response.text(), headers: response.headers };
}

test("metadefs: tags are added from Yoga on, and replaced before, whatever the header says", async () => {
  for (const [release, appends] of [
    ["xena", false],
    ["yoga", true],
  ] as const) {
    await using api = await startApi({ release });
    await ask(api, "POST", path, { namespace: "N", tags: [{ name: "old" }] });
    const set = (value: string, name: string) =>
      ask(api, "POST", `${path}/N/tags`, { tags: [{ name }] }, { "X-Openstack-Append": value });
    assert.equal((await set("True", "new")).status, 201);
    const names = async () => JSON.parse((await ask(api, "GET", `${path}/N/tags`)).text).tags.length;
    assert.equal(await names(), appends ? 2 : 1, release);
    await set("False", "other");
    assert.equal(await names(), 1);
  }
});

test("metadefs: names of any characters a column holds can be made, are linked encoded, and are found again", async () => {
  await using api = await startApi();
  const name = "Ä b?c#d%e::f\"'";
  const made = await ask(api, "POST", path, { namespace: name, objects: [{ name: "x y" }] });
  assert.equal(made.status, 201);
  const { self, objects } = JSON.parse(made.text);
  assert.equal(made.headers.get("location"), api.url + self);
  assert.match(self, /%20b%3Fc%23d%25e::f/);
  assert.equal((await ask(api, "GET", self)).status, 200);
  assert.equal((await ask(api, "GET", objects[0].self)).status, 200);
  for (const bad of ["", "a/b", "😀", "x".repeat(81)]) {
    assert.equal((await ask(api, "POST", path, { namespace: bad })).status, 400, bad);
    const named = `${path}/${encodeURIComponent(bad)}`;
    if (bad !== "") assert.equal((await ask(api, "GET", named)).status, 404, bad);
    const tag = await ask(api, "POST", `${self}/tags/${encodeURIComponent(bad)}`);
    assert.equal(tag.status, bad === "😀" || bad.length > 80 ? 400 : bad === "" ? 404 : 404, bad);
  }
});

test("metadefs: numbers come back as they were sent, and defaults as texts", async () => {
  await using api = await startApi();
  await ask(api, "POST", path, { namespace: "N" });
  const sent = '{"name":"p","title":"t","type":"integer","maximum":9223372036854775807,"minimum":1.50,"default":7}';
  assert.equal((await ask(api, "POST", `${path}/N/properties`, sent)).status, 201);
  const { text } = await ask(api, "GET", `${path}/N/properties/p`);
  assert.match(text, /"maximum":9223372036854775807,/);
  assert.match(text, /"minimum":1\.50,/);
  assert.match(text, /"default":"7"/);
});

test("metadefs: bodies nested without end are refused, and so are texts that no column holds", async () => {
  await using api = await startApi();
  await ask(api, "POST", path, { namespace: "N" });
  for (const levels of [100, 5_000, 400_000]) {
    const nested = `${"[".repeat(levels)}${"]".repeat(levels)}`;
    const body = `{"name":"p","title":"t","type":"string","default":${nested}}`;
    assert.equal((await ask(api, "POST", `${path}/N/properties`, body)).status, 400, String(levels));
  }
  for (const body of [
    { name: "o", description: "x".repeat(65_536) },
    { name: "o", description: "\0" },
    { name: "o", properties: { p: { title: "ä".repeat(11_000), type: "string" } } },
    { name: "o", required: ["😀"] },
  ])
    assert.equal((await ask(api, "POST", `${path}/N/objects`, body)).status, 400);
  const title = "😀 stays, because JSON is stored in ASCII";
  const made = await ask(api, "POST", `${path}/N/properties`, { name: "p", title, type: "string" });
  assert.deepEqual([made.status, JSON.parse(made.text).title], [201, title]);
});

test("metadefs: a walk through the pages meets every namespace once, and keeps its query", async () => {
  await using api = await startApi();
  for (let index = 0; index < 8; index++)
    await ask(api, "POST", path, { namespace: `N${index}`, visibility: index % 4 === 3 ? "private" : "public" });
  const seen: string[] = [];
  for (let next = `${path}?visibility=public&sort_key=namespace&sort_dir=asc`; next; ) {
    const page = JSON.parse((await ask(api, "GET", next)).text);
    seen.push(...page.namespaces.map(({ namespace }: { namespace: string }) => namespace));
    assert.match(page.first, /visibility=public/);
    next = page.next ?? "";
    if (next) assert.match(next, /visibility=public&sort_key=namespace&sort_dir=asc&marker=N/);
  }
  assert.deepEqual(seen, ["N0", "N1", "N2", "N4", "N5", "N6"]);
});
