// What a node does while Keystone is down, slow or babbles, and how often it asks at all.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pino } from "pino";
import { isServiceError } from "../../core/errors.ts";
import type { Identity } from "../identity.ts";
import { Recent } from "./recent.ts";
import { type BrokenKeystone, startBrokenKeystone } from "./testing/broken-keystone.ts";
import { openForTest } from "./testing/open-for-test.ts";

async function start(
  t: TestContext,
  more = "",
): Promise<{ keystone: BrokenKeystone; identity: Identity; log: string[] }> {
  const keystone = await startBrokenKeystone();
  const log: string[] = [];
  const logger = pino({ level: "warn" }, { write: (line) => void log.push(line) });
  const text = `[keystone_authtoken]\nauth_url = ${keystone.url}\nusername = glance\npassword = s3cret\nproject_name = service\n${more}`;
  const { identity, close } = openForTest(text, { logger });
  t.after(async () => {
    await close();
    await keystone[Symbol.asyncDispose]();
  });
  return { keystone, identity, log };
}

const ask = async (identity: Identity, token: string) => identity.authenticate({ "x-auth-token": token }, "req-1");
const unavailable = (error: unknown) => isServiceError(error, "identity.unavailable");

test("keystone: requests that come with one token at the same time ask once, and those after it not at all", async (t) => {
  const { keystone, identity } = await start(t);
  const gate = Promise.withResolvers<void>();
  keystone.misbehave = async () => {
    await gate.promise;
    return false;
  };
  const asked = Array.from({ length: 50 }, (_, index) => ask(identity, `token-${index % 2}`));
  gate.resolve();
  const callers = await Promise.all(asked);
  assert.deepEqual(new Set(callers.map((caller) => caller.userId)), new Set(["token-0", "token-1"]));
  assert.equal(keystone.authentications, 1);
  assert.equal(keystone.validations.length, 2);
  const again = identity.authenticate({ "x-auth-token": "token-1" }, "req-2");
  assert(!(again instanceof Promise), "a remembered token is answered for at once");
  assert.deepEqual([again.requestId, again.roles, again.projectId], ["req-2", ["member"], "p1"]);
  assert.equal(keystone.validations.length, 2);
});

test("keystone: a token is remembered no longer than it is valid", async (t) => {
  const { keystone, identity } = await start(t);
  keystone.tokenSeconds = -1;
  await ask(identity, "a");
  await ask(identity, "a");
  assert.equal(keystone.validations.length, 2);
});

test("keystone: nothing is remembered where token_cache_time says so", async (t) => {
  const { keystone, identity } = await start(t, "token_cache_time = -1\n");
  keystone.misbehave = (request, response) => {
    const refused = request.headers["x-subject-token"] === "bad";
    if (refused) response.writeHead(404).end("{}");
    return refused;
  };
  for (const token of ["a", "a"]) await ask(identity, token);
  for (const token of ["bad", "bad"]) await assert.rejects(ask(identity, token), /valid token/);
  assert.equal(keystone.validations.length, 4);
});

test("keystone: a service's token that is not known any more is renewed by one call, and the validations are made again", async (t) => {
  const { keystone, identity } = await start(t);
  await ask(identity, "first");
  keystone.misbehave = (request, response) => {
    const forgotten = request.headers["x-auth-token"] === "own-1";
    if (forgotten) response.writeHead(401).end("{}");
    return forgotten;
  };
  const callers = await Promise.all(["a", "b", "c", "d"].map((token) => ask(identity, token)));
  assert.deepEqual(callers.map((caller) => caller.userId).sort(), ["a", "b", "c", "d"]);
  assert.equal(keystone.authentications, 2);
});

test("keystone: a service's token is renewed before it expires, and those who ask meanwhile do not wait", async (t) => {
  const { keystone, identity } = await start(t, "token_cache_time = 0\n");
  // Renewed at three quarters, so a second is left for what is asked meanwhile.
  keystone.tokenSeconds = 4;
  await ask(identity, "a");
  const renewing = Promise.withResolvers<void>();
  keystone.misbehave = (request) => {
    if (request.method === "POST") renewing.resolve();
    // The renewal hangs.
    return request.method === "POST";
  };
  const done = renewing.promise.then(() => true);
  const asking = (async () => {
    while (keystone.authentications === 1) await ask(identity, "a");
    return true;
  })();
  assert(await Promise.race([done, asking]));
  assert.equal((await ask(identity, "b")).userId, "b");
  assert.equal(keystone.validations.at(-1), "own-1");
});

test("keystone: one that is down gives 503 within its time, and is asked again when it is back", async (t) => {
  const { keystone, identity, log } = await start(t, "http_connect_timeout = 2\n");
  await ask(identity, "known");
  await keystone.die();
  await assert.rejects(ask(identity, "new"), unavailable);
  assert.equal((await ask(identity, "known")).userId, "known", "what is remembered is still believed");
  await keystone.revive();
  assert.equal((await ask(identity, "new")).userId, "new");
  assert.deepEqual(
    log.filter((line) => line.includes("s3cret")),
    [],
  );
});

test("keystone: a call that met a dying one is made again within its time", async (t) => {
  const { keystone, identity } = await start(t);
  let deaths = 0;
  keystone.misbehave = (_request, response) => {
    deaths += 1;
    if (deaths === 1) response.destroy();
    else if (deaths === 2) response.writeHead(503).end();
    return deaths <= 2;
  };
  assert.equal((await ask(identity, "a")).userId, "a");
});

test("keystone: one that does not answer, or answers a byte at a time, costs a request no more than http_connect_timeout", async (t) => {
  const { keystone, identity } = await start(t, "http_connect_timeout = 0.3\n");
  await ask(identity, "known");
  for (const misbehave of [
    () => true,
    (_request: unknown, response: { writeHead(status: number): { write(text: string): void } }) => {
      response.writeHead(200).write("{");
      return true;
    },
  ]) {
    keystone.misbehave = misbehave;
    const beganMs = performance.now();
    await assert.rejects(
      ask(identity, `slow-${Math.random()}`),
      (error) => unavailable(error) && /300 ms/.test(String(error)),
    );
    assert(performance.now() - beganMs < 3_000);
  }
  keystone.misbehave = () => false;
  assert.equal((await ask(identity, "after")).userId, "after");
});

test("keystone: nonsense for an answer makes nobody anybody", async (t) => {
  const { keystone, identity } = await start(t, "http_request_max_retries = 0\n");
  await ask(identity, "known");
  const nonsense: readonly (readonly [number, string])[] = [
    [200, "<html>It works!</html>"],
    [200, ""],
    [200, "null"],
    [200, '{"token": 1}'],
    [200, '{"token": {"user": {"id": "u"}, "roles": [{"name": "admin"}]}}'],
    [200, '{"token": {"user": {}, "roles": [], "expires_at": "2099-01-01T00:00:00Z"}}'],
    [200, '{"token": {"user": {"id": "u"}, "roles": [null], "expires_at": "2099-01-01T00:00:00Z"}}'],
    [200, `{"token": "${"x".repeat(2 ** 21)}"}`],
    [204, ""],
    [302, ""],
    [403, "{}"],
    [429, "{}"],
    [500, "{}"],
    [503, "{}"],
  ];
  for (const [index, [status, body]] of nonsense.entries()) {
    keystone.misbehave = (_request, response) => {
      response.writeHead(status).end(body);
      return true;
    };
    await assert.rejects(ask(identity, `nonsense-${index}`), unavailable, `${status} ${body.slice(0, 80)}`);
  }
});

test("keystone: credentials that are refused are asked with once a second, not with every request, and the log says what to do", async (t) => {
  const { keystone, identity, log } = await start(t);
  keystone.misbehave = (_request, response) => {
    response.writeHead(401).end("{}");
    return true;
  };
  for (let count = 0; count < 20; count++) await assert.rejects(ask(identity, `token-${count}`), unavailable);
  // A slow machine may take longer than a second for all of them.
  assert(keystone.authentications < 10, String(keystone.authentications));
  assert.match(log.join(""), /refuses the credentials of \[keystone_authtoken\]/);
});

test("keystone: connections stay open between calls", async (t) => {
  const { keystone, identity } = await start(t);
  for (let count = 0; count < 10; count++) await ask(identity, `token-${count}`);
  // The second call may begin before the first has given its connection back.
  assert(keystone.connections <= 2, String(keystone.connections));
});

test("keystone: its certificate has to come from an authority of the operator's, unless any will do", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "perennial-keystone-tls-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=keystone", "-addext", "subjectAltName=IP:127.0.0.1"];
  const fresh = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync("openssl", [...fresh, "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
  const keystone = await startBrokenKeystone({ key: readFileSync(key), cert: readFileSync(cert) });
  t.after(() => keystone[Symbol.asyncDispose]());
  const asked = async (more: string) => {
    const text = `[keystone_authtoken]\nauth_url = ${keystone.url}\nusername = g\npassword = p\nproject_name = s\n`;
    const { identity, close } = openForTest(`${text}http_request_max_retries = 0\n${more}`);
    try {
      return await ask(identity, "a");
    } finally {
      await close();
    }
  };
  await assert.rejects(asked(""), (error) => unavailable(error) && /certificate/.test(String(error)));
  assert.equal((await asked(`cafile = ${cert}\n`)).userId, "a");
  assert.equal((await asked("insecure = true\n")).userId, "a");
});

test("keystone: of too many tokens those that were not asked for longest are forgotten", () => {
  const recent = new Recent<number>(3);
  for (const [index, key] of ["a", "b", "c"].entries()) recent.set(key, index, 100);
  assert.equal(recent.get("a", 0), 0);
  recent.set("d", 3, 100);
  assert.deepEqual(
    ["a", "b", "c", "d"].map((key) => recent.get(key, 0)),
    [0, undefined, 2, 3],
  );
  assert.equal(recent.get("a", 100), undefined);
  assert.equal(recent.size, 2);
});
