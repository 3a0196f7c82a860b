// Images in accounts of the users: a node of ours with a real Keystone and a real Swift, and the reference's own store beside it, which asks with
// the users' tokens. Each reads and removes what the other has written, as far as the image is its caller's to see.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { join } from "node:path";
import { json, text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { type NodeProcess, Site } from "../node/node-process.ts";
import { eventually } from "../servers/eventually.ts";
import { type Person, startUsersSwift, type UsersSwift } from "../servers/users-swift.ts";

const script = fileURLToPath(new URL("./reference-swift-users.py", import.meta.url));
let cloud: UsersSwift;
let node: NodeProcess;
let startNode: (name: string) => Promise<NodeProcess>;
let ann: Person;
let bob: Person;
let storeOptions: Record<string, string | boolean>;

before(async () => {
  const site = new Site();
  [cloud] = await Promise.all([startUsersSwift(), site.createDatabase(newestRelease.id)]);
  [ann, bob] = [await cloud.makePerson("ann"), await cloud.makePerson("bob")];
  const { keystone, service } = cloud;
  storeOptions = {
    default_store: "swift",
    swift_store_multi_tenant: true,
    swift_store_auth_version: "3",
    swift_store_auth_address: keystone.url,
    swift_store_user: `service:${service.name}`,
    swift_store_key: service.password,
    swift_store_create_container_on_put: true,
  };
  startNode = (name) =>
    site.start(name, {
      DEFAULT: { node_staging_uri: `file://${join(site.folder, "staging")}` },
      paste_deploy: { flavor: "keystone" },
      glance_store: { ...storeOptions, stores: "file,http,swift" },
      keystone_authtoken: {
        auth_url: keystone.url.replace("/v3", ""),
        www_authenticate_uri: keystone.url,
        auth_type: "password",
        username: service.name,
        password: service.password,
        project_name: "service",
        user_domain_name: "Default",
        project_domain_name: "Default",
      },
    });
  node = await startNode("users");
});
after(() => cloud?.stop());

async function ask(person: Person, method: string, path: string, body?: unknown, type = "application/json") {
  const token = await cloud.keystone.token(person.user, { project: person.id });
  return fetch(`${node.url}/v2${path}`, {
    method,
    headers: { "x-auth-token": token, "content-type": type },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
}

async function expect(status: number, asked: Promise<Response>): Promise<Response> {
  const response = await asked;
  assert.equal(response.status, status, response.status === status ? "" : await response.text());
  return response;
}

async function create(): Promise<string> {
  const made = await expect(201, ask(ann, "POST", "/images", { disk_format: "raw", container_format: "bare" }));
  return ((await made.json()) as { id: string }).id;
}

async function upload(data: string): Promise<string> {
  const id = await create();
  await expect(204, ask(ann, "PUT", `/images/${id}/file`, data, "application/octet-stream"));
  return id;
}

async function becomes(status: string, id: string): Promise<void> {
  const shown = async () => ((await (await ask(ann, "GET", `/images/${id}`)).json()) as { status: string }).status;
  await eventually(`${id} is ${status}`, async () => (await shown()) === status, { msMax: 60_000 });
}

/** What the reference's store gives to this caller for each step. */
async function reference(person: Person, ...steps: readonly (readonly string[])[]): Promise<readonly unknown[]> {
  const url = `${cloud.swift.url}/v1/AUTH_${person.id}`;
  const caller = {
    auth_token: await cloud.keystone.token(person.user, { project: person.id }),
    service_catalog: [{ type: "object-store", name: "swift", endpoints: [{ publicURL: url, region: "RegionOne" }] }],
    user_id: person.user.id,
    project_id: person.id,
  };
  const child = spawn("/usr/bin/python3", [script], { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.end(JSON.stringify({ options: { ...storeOptions, stores: ["swift"] }, caller, steps }));
  const [words, given] = await Promise.all([
    text(child.stderr),
    json(child.stdout).catch(() => undefined),
    once(child, "exit"),
  ]);
  assert(Array.isArray(given), words);
  return given;
}

const locationOf = (id: string) => `swift+${cloud.swift.url}/v1/AUTH_${ann.id}/glance_${id}/${id}`;

test("swift of users: what a node stores the reference reads with its owner's token, with a member's, with anybody's once it is the community's", async () => {
  const id = await upload("in ann's account");
  const url = locationOf(id);
  assert.deepEqual(await reference(ann, ["get", url]), ["in ann's account"]);
  assert.deepEqual((await cloud.ask(bob, `glance_${id}/${id}`, ann.id)).status, 403);
  await expect(200, ask(ann, "POST", `/images/${id}/members`, { member: bob.id }));
  assert.deepEqual(await reference(bob, ["get", url]), ["in ann's account"]);
  assert.equal(await (await expect(200, ask(bob, "GET", `/images/${id}/file`))).text(), "in ann's account");
  await expect(204, ask(ann, "DELETE", `/images/${id}/members/${bob.id}`));
  assert.equal((await cloud.ask(bob, `glance_${id}/${id}`, ann.id)).status, 403);
  const patch = [{ op: "replace", path: "/visibility", value: "community" }];
  const type = "application/openstack-images-v2.1-json-patch";
  await expect(200, ask(ann, "PATCH", `/images/${id}`, JSON.stringify(patch), type));
  assert.deepEqual(await reference(bob, ["get", url]), ["in ann's account"]);
  await expect(204, ask(ann, "DELETE", `/images/${id}`));
  assert.equal((await cloud.ask(ann, `glance_${id}`)).status, 404, "the container is gone with it");
});

test("swift of users: an import, whose caller is gone when it ends, goes to the owner's account", async () => {
  const id = await create();
  await expect(204, ask(ann, "PUT", `/images/${id}/stage`, "staged", "application/octet-stream"));
  await expect(202, ask(ann, "POST", `/images/${id}/import`, { method: { name: "glance-direct" } }));
  await becomes("active", id);
  assert.equal(await (await cloud.ask(ann, `glance_${id}/${id}`)).text(), "staged");
});

test("swift of users: what a killed node had sent of an upload is removed by the one that comes after, and the image takes data again", async () => {
  const id = await create();
  const token = await cloud.keystone.token(ann.user, { project: ann.id });
  const headers = { "x-auth-token": token, "content-type": "application/octet-stream" };
  const sending = request(`${node.url}/v2/images/${id}/file`, { method: "PUT", headers });
  const cut = once(sending, "error");
  sending.write("the beginning");
  await eventually("it is begun", async () => (await cloud.ask(ann, `glance_${id}`)).ok);
  node.signal("SIGKILL");
  await cut;
  await node.exited;
  node = await startNode("users-after");
  await becomes("queued", id);
  assert.equal((await cloud.ask(ann, `glance_${id}`)).status, 404, "the container is gone");
  await expect(204, ask(ann, "PUT", `/images/${id}/file`, "all of it", "application/octet-stream"));
  assert.equal(await (await cloud.ask(ann, `glance_${id}/${id}`)).text(), "all of it");
});

test("swift of users: what the reference stored is read and removed as it is, and the reference removes what a node stored", async () => {
  const [theirs, id] = [await create(), await upload("ours")];
  const [url] = await reference(ann, ["add", theirs, "theirs"]);
  assert.equal(url, locationOf(theirs), "both name it alike");
  // The key is taken: what is there is not replaced.
  await expect(409, ask(ann, "PUT", `/images/${theirs}/file`, "over it", "application/octet-stream"));
  assert.equal(await (await cloud.ask(ann, `glance_${theirs}/${theirs}`)).text(), "theirs");
  const service = { id: cloud.serviceProject, user: cloud.service };
  await expect(202, ask(service, "POST", `/images/${theirs}/locations`, { url }));
  await becomes("active", theirs);
  assert.equal(await (await expect(200, ask(ann, "GET", `/images/${theirs}/file`))).text(), "theirs");
  await expect(204, ask(ann, "DELETE", `/images/${theirs}`));
  assert.equal((await cloud.ask(ann, `glance_${theirs}`)).status, 404);
  await reference(ann, ["delete_from_backend", locationOf(id)]);
  assert.equal((await cloud.ask(ann, `glance_${id}`)).status, 404);
  await expect(204, ask(ann, "DELETE", `/images/${id}`));
});
