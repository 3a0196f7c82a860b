// Who may see the console and who may give it orders: every answer's headers, foreign names and pages, the token.
import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { ServiceError } from "../core/errors.ts";
import type { ConsoleAct } from "./acts.ts";
import { startConsole, token } from "./testing/console-scene.ts";

const paths = ["/", "/assets/index-1.js", "/api/rollouts", "/api/rollouts/none", "/nowhere", "/../package.json"];

test("console: every answer forbids frames, foreign scripts and guessing of types", async (t) => {
  const { address } = await startConsole(t);
  for (const path of paths) {
    const { headers } = await fetch(`${address}${path}`);
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'; script-src 'self';/, path);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/, path);
    assert.match(policy, /frame-ancestors 'none'/, path);
    const told = ["x-frame-options", "x-content-type-options", "referrer-policy"].map((name) => headers.get(name));
    assert.deepEqual(told, ["DENY", "nosniff", "no-referrer"], path);
    assert.equal(headers.get("access-control-allow-origin"), null, path);
  }
  assert.equal((await fetch(`${address}/../package.json`)).status, 404);
});

test("console: a name that is not its own is refused, so that nobody's DNS makes their page one of its origin", async (t) => {
  const { address } = await startConsole(t);
  const { port } = new URL(address);
  for (const host of [`evil.example:${port}`, "evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]", "a b"])
    assert.equal(await statusOf(port, { host }), 403, host);
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, "localhost:4000", `[::1]:${port}`])
    assert.equal(await statusOf(port, { host }), 200, host);
});

test("console: pages of other sites are refused", async (t) => {
  const { address } = await startConsole(t);
  const { port, host } = new URL(address);
  assert.equal(await statusOf(port, { host, origin: "http://evil.example" }), 403);
  assert.equal(await statusOf(port, { host, origin: `https://${host}` }), 403);
  assert.equal(await statusOf(port, { host, origin: "null" }), 403);
  assert.equal(await statusOf(port, { host, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }), 403);
  assert.equal(await statusOf(port, { host, origin: `http://${host}` }), 200);
});

test("console: without --allow-control nothing can be ordered, whatever is sent", async (t) => {
  const { address } = await startConsole(t);
  const answer = await order(address, { act: "pause", who: "ann" }, token);
  assert.deepEqual([answer.status, (await told(answer)).includes("--allow-control")], [403, true]);
});

test("console: orders need the token in its header, and are done in the name of who gave them", async (t) => {
  const done: (readonly [ConsoleAct, string])[] = [];
  const { address } = await startConsole(t, {
    doAct: async (act, who) => {
      done.push([act, who]);
      return "it is done";
    },
  });
  for (const wrong of ["", "wrong", `${token}x`, token.slice(1)])
    assert.equal((await order(address, { act: "pause", who: "ann" }, wrong)).status, 401, wrong);
  assert.deepEqual(done, []);
  const answer = await order(address, { act: "pause", who: " ann " }, token);
  assert.deepEqual([answer.status, await told(answer)], [200, "it is done"]);
  const limits = { batchRowsMax: 100, targetMs: 20 };
  assert.equal((await order(address, { act: "migrate-limits", limits, who: "bob" }, token)).status, 200);
  assert.deepEqual(done, [
    [{ act: "pause" }, "ann"],
    [{ act: "migrate-limits", limits }, "bob"],
  ]);
});

test("console: an order that is none is refused with what is wrong with it", async (t) => {
  const { address } = await startConsole(t, { doAct: async () => assert.fail("nothing was to be done") });
  const bad: readonly unknown[] = [
    [],
    {},
    { act: "pause" },
    { act: "pause", who: "<script>" },
    { act: "pause", who: "   " },
    { act: "pause", who: "a".repeat(81) },
    { act: "delete-everything", who: "ann" },
    { act: "__proto__", who: "ann" },
    { act: "migrate-limits", who: "ann" },
    { act: "migrate-limits", who: "ann", limits: { targetMs: 0 } },
    { act: "migrate-limits", who: "ann", limits: { targetMs: "20" } },
    { act: "migrate-limits", who: "ann", limits: { targetMs: 20, other: 1 } },
  ];
  for (const body of bad) {
    const answer = await order(address, body, token);
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert(((await told(answer)) ?? "").length > 10);
  }
  const form = await fetch(`${address}/api/orders`, {
    method: "POST",
    headers: { "x-console-token": token, "content-type": "application/x-www-form-urlencoded" },
    body: "act=pause&who=ann",
  });
  assert.equal(form.status, 415);
  assert.equal((await order(address, { act: "pause", who: "ann", more: "x".repeat(10_000) }, token)).status, 413);
});

test("console: what an order fails with is told in words", async (t) => {
  const { address } = await startConsole(t, {
    doAct: async () => {
      throw new ServiceError("db.unreachable", "the database does not answer");
    },
  });
  const answer = await order(address, { act: "pause", who: "ann" }, token);
  assert.deepEqual([answer.status, await told(answer)], [409, "the database does not answer"]);
});

test("console: files of the page may be kept, the page itself is asked for again", async (t) => {
  const { address } = await startConsole(t);
  const [page, script] = [await fetch(`${address}/`), await fetch(`${address}/assets/index-1.js`)];
  assert.equal(page.headers.get("cache-control"), "no-cache");
  assert.match(script.headers.get("cache-control") ?? "", /immutable/);
  assert.deepEqual([await page.text(), await script.text()], ["<!doctype html><title>page</title>", "export {};"]);
});

function order(address: string, body: unknown, given?: string): Promise<Response> {
  const headers = { "content-type": "application/json", ...(given !== undefined && { "x-console-token": given }) };
  return fetch(`${address}/api/orders`, { method: "POST", headers, body: JSON.stringify(body) });
}

async function told(answer: Response): Promise<string> {
  return ((await answer.json()) as { message: string }).message;
}

/** fetch would set its own Host. */
function statusOf(port: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path: "/api/rollouts", headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    asked.on("error", reject).end();
  });
}
