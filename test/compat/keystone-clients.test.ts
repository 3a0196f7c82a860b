// A node whose callers are a real Keystone's users, and the real openstack client, which logs in by password, finds the node in the catalog and
// works with it; what Keystone refuses, the node refuses.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeSigner } from "../../src/images/testing/signing.ts";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { type NodeProcess, Site } from "../node/node-process.ts";
import { type BarbicanServer, startBarbican } from "../servers/barbican.ts";
import { eventually } from "../servers/eventually.ts";
import { freePort } from "../servers/free-port.ts";
import { type KeystoneServer, type KeystoneUser, startKeystone } from "../servers/keystone.ts";
import { cleanEnvironment, runClient } from "./client-programs.ts";

let keystone: KeystoneServer;
let barbican: BarbicanServer;
let node: NodeProcess;
let site: Site;
let project: string;
let member: KeystoneUser;

before(async () => {
  site = new Site();
  [keystone] = await Promise.all([startKeystone(), site.createDatabase(newestRelease.id)]);
  const port = await freePort();
  const service = await keystone.createServiceUser();
  await keystone.createEndpoints("image", `http://127.0.0.1:${port}`);
  barbican = await startBarbican(keystone, service);
  await keystone.createEndpoints("key-manager", barbican.url);
  project = await keystone.createProject("red");
  member = await keystone.createUser({ name: "ann", project, roles: ["member"] });
  // Debian's own paste file, beside the node's configuration.
  copyFileSync("/etc/glance/glance-api-paste.ini", join(site.folder, "glance-api-paste.ini"));
  const authtoken = {
    auth_url: keystone.url.replace("/v3", ""),
    www_authenticate_uri: keystone.url,
    auth_type: "password",
    username: service.name,
    password: service.password,
    project_name: "service",
    user_domain_name: "Default",
    project_domain_name: "Default",
    token_cache_time: 0,
  };
  await keystone.grant(service, "reader", { system: true });
  const limits = {
    auth_url: keystone.url,
    username: service.name,
    password: service.password,
    user_domain_name: "Default",
    system_scope: "all",
    endpoint_id: await registerLimits(),
  };
  const sections = {
    DEFAULT: { use_keystone_limits: true },
    paste_deploy: { flavor: "keystone" },
    keystone_authtoken: authtoken,
    oslo_limit: limits,
  };
  node = await site.start("keystone", sections, { port });
});
after(async () => {
  await barbican?.stop();
  await keystone?.stop();
});

/** Plenty of everything; the id of the image service's endpoint, whose limits they are. */
async function registerLimits(): Promise<string> {
  const { services } = await keystone.call<{ services: { id: string }[] }>("GET", "/services?type=image");
  const service = services[0]?.id ?? "";
  const names = ["image_size_total", "image_stage_total", "image_count_total", "image_count_uploading"];
  const common = { service_id: service, region_id: "RegionOne", default_limit: 1000 };
  const registered = names.map((name) => ({ ...common, resource_name: name }));
  await keystone.call("POST", "/registered_limits", { registered_limits: registered });
  const path = `/endpoints?service_id=${service}&interface=public`;
  return (await keystone.call<{ endpoints: { id: string }[] }>("GET", path)).endpoints[0]?.id ?? "";
}

async function openstack(user: KeystoneUser, ...args: readonly string[]): Promise<string> {
  const env = cleanEnvironment({
    HOME: site.folder,
    OS_AUTH_URL: keystone.url,
    OS_USERNAME: user.name,
    OS_PASSWORD: user.password,
    OS_PROJECT_ID: project,
    OS_USER_DOMAIN_NAME: "Default",
    OS_REGION_NAME: "RegionOne",
    OS_IDENTITY_API_VERSION: "3",
  });
  return (await runClient("openstack", args, env)).trim();
}

const call = (token: string | null, path: string, init: RequestInit = {}) =>
  fetch(`${node.url}${path}`, {
    ...init,
    headers: { ...(token === null ? {} : { "x-auth-token": token }), ...init.headers },
  });

test("keystone: the openstack client creates, lists, shows, changes, saves and deletes an image by its user's token", async () => {
  const data = join(site.folder, "image.bin");
  writeFileSync(data, randomBytes(300_000));
  const value = ["-f", "value", "-c"];
  const id = await openstack(member, "image", "create", "--file", data, "--disk-format", "raw", "one", ...value, "id");
  assert.match(await openstack(member, "image", "list", ...value, "ID"), new RegExp(id));
  await openstack(member, "image", "set", "--property", "os_distro=debian", "--tag", "checked", id);
  const shown = JSON.parse(await openstack(member, "image", "show", id, "-f", "json"));
  assert.deepEqual([shown.status, shown.owner, shown.tags], ["active", project, ["checked"]]);
  const saved = join(site.folder, "saved.bin");
  await openstack(member, "image", "save", "--file", saved, id);
  assert(readFileSync(saved).equals(readFileSync(data)));
  await openstack(member, "image", "delete", id);
  assert.equal((await call(await keystone.token(member, { project }), `/v2/images/${id}`)).status, 404);
});

test("keystone: signed images are verified by certificates in Barbican that the user may read, and keys there go with their images", async () => {
  const { certificate, properties } = makeSigner("RSA-PSS");
  const user = await keystone.createUser({ name: "dora", project, roles: ["member", "creator"] });
  const token = await keystone.token(user, { project });
  const secretId = await barbican.store(token, { type: "certificate", payload: certificate });
  const data = randomBytes(400_000);
  const signed = (id = secretId) => ({ ...properties(data), img_signature_certificate_uuid: id });
  const file = join(site.folder, "signed.bin");
  writeFileSync(file, data);
  const words = Object.entries(signed()).flatMap(([name, value]) => ["--property", `${name}=${value}`]);
  const made = await openstack(user, "image", "create", "--file", file, "signed", ...words, "-f", "value", "-c", "id");
  const shown = (await (await call(token, `/v2/images/${made}`)).json()) as { status: string };
  assert.equal(shown.status, "active");

  const json = { "content-type": "application/json" };
  const create = async (more: object) => {
    const body = JSON.stringify({ disk_format: "raw", container_format: "bare", ...more });
    const response = await call(token, "/v2/images", { method: "POST", headers: json, body });
    return ((await response.json()) as { id: string }).id;
  };
  const refusal = async (id: string, body: Buffer, as = token) => {
    const headers = { "content-type": "application/octet-stream" };
    const response = await call(as, `/v2/images/${id}/file`, { method: "PUT", headers, body: new Uint8Array(body) });
    return `${response.status} ${await response.text()}`;
  };
  const id = await create(signed());
  assert.match(await refusal(id, Buffer.concat([data, data])), /^400 .*not what was signed/s);
  // Without the role creator Barbican shows nobody a secret.
  assert.match(await refusal(id, data, await keystone.token(member, { project })), /^400 .*does not show you/s);
  const opaque = await barbican.store(token, { type: "opaque", payload: randomBytes(16) });
  assert.match(await refusal(await create(signed(opaque)), data), /^400 .*is no certificate/s);

  const key = { cinder_encryption_key_id: secretId, cinder_encryption_key_deletion_policy: "on_image_deletion" };
  assert.equal((await call(token, `/v2/images/${await create(key)}`, { method: "DELETE" })).status, 204);
  assert.match(await refusal(id, data), /^400 .*does not have the certificate/s);
});

test("keystone: a user without a role of the policy's sees nothing and creates nothing", async () => {
  const stranger = await keystone.createUser({ name: "cleo", project, roles: ["auditor"] });
  const token = await keystone.token(stranger, { project });
  assert.equal((await call(token, "/v2/images")).status, 403);
  const refused = openstack(stranger, "image", "create", "none");
  await assert.rejects(refused, /403/);
});

test("keystone: without a token and with a revoked one the answer is 401, and says where to log in", async () => {
  const token = await keystone.token(member, { project });
  assert.equal((await call(token, "/v2/images")).status, 200);
  await keystone.revoke(token);
  for (const wrong of [token, null, "gAAAAnonsense"]) {
    const response = await call(wrong, "/v2/images");
    assert.equal(response.status, 401);
    assert.equal(response.headers.get("www-authenticate"), `Keystone uri="${keystone.url}"`);
  }
});

test("keystone: an upload whose token is revoked on the way is finished", async () => {
  const token = await keystone.token(member, { project });
  const json = { "content-type": "application/json" };
  const body = JSON.stringify({ name: "long", disk_format: "raw", container_format: "bare" });
  const made = await call(token, "/v2/images", { method: "POST", headers: json, body });
  const { id } = (await made.json()) as { id: string };
  const half = randomBytes(200_000);
  const halves = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(half);
      await started();
      await keystone.revoke(token);
      controller.enqueue(half);
      controller.close();
    },
  });
  const headers = { "content-type": "application/octet-stream" };
  const put = await call(token, `/v2/images/${id}/file`, {
    method: "PUT",
    headers,
    body: halves,
    duplex: "half",
  } as RequestInit);
  assert.equal(put.status, 204);
  const other = await keystone.token(member, { project });
  const shown = (await (await call(other, `/v2/images/${id}`)).json()) as { status: string; size: number };
  assert.deepEqual([shown.status, shown.size], ["active", 400_000]);
  assert.equal((await call(token, `/v2/images/${id}`)).status, 401);

  /** The node has taken the upload in hand: from here on the token is of no matter. */
  async function started(): Promise<void> {
    const watcher = await keystone.token(member, { project });
    await eventually("the image is saving", async () => {
      const response = await call(watcher, `/v2/images/${id}`);
      return ((await response.json()) as { status: string }).status === "saving";
    });
  }
});

test("keystone: a limit that is set for the project in Keystone holds, and info/usage shows it", async () => {
  const token = await keystone.token(member, { project });
  const json = { "content-type": "application/json" };
  const create = () => call(token, "/v2/images", { method: "POST", headers: json, body: "{}" });
  type Usage = { usage: { image_count_total: { usage: number; limit: number } } };
  const count = async () => ((await (await call(token, "/v2/info/usage")).json()) as Usage).usage.image_count_total;
  assert.equal((await create()).status, 201);
  const { usage, limit } = await count();
  assert.equal(limit, 1000);
  const { services } = await keystone.call<{ services: { id: string }[] }>("GET", "/services?type=image");
  const own = { service_id: services[0]?.id, region_id: "RegionOne", resource_name: "image_count_total" };
  await keystone.call("POST", "/limits", { limits: [{ ...own, project_id: project, resource_limit: usage }] });
  await eventually("the limit is seen", async () => (await count()).limit === usage, { everyMs: 200 });
  const refused = await create();
  assert.equal(refused.status, 413);
  assert.match(await refused.text(), new RegExp(`image_count_total is ${usage}`));
});
