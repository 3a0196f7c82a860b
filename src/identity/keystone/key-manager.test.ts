// Secrets removed from a key manager: where it is looked for, what it is shown, and what its answers mean. It is something on a port that answers
// as Barbican does.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { pino } from "pino";
import { isServiceError } from "../../core/errors.ts";
import { startBrokenKeystone } from "./testing/broken-keystone.ts";
import { openForTest } from "./testing/open-for-test.ts";

const secretId = "11111111-1111-4111-8111-111111111111";

async function startBarbican(t: TestContext) {
  const asked: string[] = [];
  const barbican = { url: "", asked, status: 204 };
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers["x-auth-token"]}`);
    response.writeHead(barbican.status).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(barbican, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

async function open(t: TestContext, more: string, endpoints: readonly object[] = []) {
  const keystone = await startBrokenKeystone();
  t.after(() => keystone[Symbol.asyncDispose]());
  keystone.misbehave = (request, response) => {
    if (!request.url?.endsWith("/auth/catalog")) return false;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ catalog: [{ type: "image" }, { type: "key-manager", endpoints }] }));
    return true;
  };
  const log: string[] = [];
  const logger = pino({ level: "warn" }, { write: (line) => void log.push(line) });
  const text = `[keystone_authtoken]\nauth_url = ${keystone.url}\nusername = glance\npassword = s3cret\nproject_name = service\n`;
  const { keys, close } = openForTest(text + more, { logger });
  t.after(close);
  return { remove: (id = secretId) => keys?.removeSecret({ token: "ann's", secretId: id }), log };
}

test("key manager: the operator's endpoint is asked with the caller's token, whether it names a version or not", async (t) => {
  const barbican = await startBarbican(t);
  for (const path of ["", "/", "/v1", "/v1/"]) {
    const { remove } = await open(t, `[barbican]\nbarbican_endpoint = ${barbican.url}${path}\n`);
    assert.equal(await remove(), "removed");
    assert.equal(barbican.asked.pop(), `DELETE /v1/secrets/${secretId} ann's`);
  }
});

test("key manager: without one the catalog of the caller's token says where it is", async (t) => {
  const barbican = await startBarbican(t);
  const endpoints = [
    { interface: "internal", region: "East", url: "http://127.0.0.1:1" },
    { interface: "public", region: "West", url: "http://127.0.0.1:1" },
    { interface: "public", region: "East", url: `${barbican.url}/key-manager/` },
  ];
  const { remove } = await open(t, "[barbican]\nbarbican_region_name = east\nbarbican_api_version = v2\n", endpoints);
  assert.equal(await remove(), "removed");
  assert.deepEqual(barbican.asked, [`DELETE /key-manager/v2/secrets/${secretId} ann's`]);
  const without = await open(t, "", []);
  assert.equal(await without.remove(), "absent");
});

test("key manager: what it does not know, refuses or fails at is told apart; what is no id is not asked for", async (t) => {
  const barbican = await startBarbican(t);
  const { remove } = await open(t, `[barbican]\nbarbican_endpoint = ${barbican.url}\n`);
  for (const [status, outcome] of [
    [404, "unknown"],
    [403, "refused"],
    [401, "refused"],
  ] as const) {
    barbican.status = status;
    assert.equal(await remove(), outcome);
  }
  const asked = barbican.asked.length;
  assert.equal(await remove("../containers/1"), "unknown");
  assert.equal(barbican.asked.length, asked);
  barbican.status = 500;
  await assert.rejects(
    async () => remove(),
    (error) => isServiceError(error, "identity.unavailable") && error.message.startsWith("Barbican could not be asked"),
  );
  const away = await open(t, "[barbican]\nbarbican_endpoint = http://127.0.0.1:1\n");
  await assert.rejects(
    async () => away.remove(),
    (error) => isServiceError(error, "identity.unavailable"),
  );
});

test("key manager: another one than Barbican is warned of at the start; settings that cannot be meant are refused", async (t) => {
  const { remove, log } = await open(t, "[key_manager]\nbackend = vault\n");
  assert.equal(remove(), undefined);
  assert.match(log.join(""), /not Barbican/);
  for (const option of ["barbican_endpoint = barbican.example", "verify_ssl_path = /none/such.pem"])
    await assert.rejects(open(t, `[barbican]\n${option}\n`), (error) => isServiceError(error, "config.invalid"));
});
