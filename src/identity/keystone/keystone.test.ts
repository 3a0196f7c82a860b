// Callers by the word of a real Keystone.
import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { eventually } from "../../../test/servers/eventually.ts";
import { type KeystoneServer, type KeystoneUser, startKeystone } from "../../../test/servers/keystone.ts";
import { systemClock } from "../../core/clock.ts";
import { loadConfig } from "../../core/config.ts";
import { isServiceError } from "../../core/errors.ts";
import { silentLogger } from "../../core/logger.ts";
import type { Identity } from "../identity.ts";
import { limitOptions, openKeystoneLimits } from "./limits.ts";
import { openForTest } from "./testing/open-for-test.ts";

let keystone: KeystoneServer;
let shortLived: KeystoneServer;
let service: KeystoneUser;
let project: string;
let member: KeystoneUser;

before(async () => {
  [keystone, shortLived] = await Promise.all([startKeystone(), startKeystone({ tokenSeconds: 6 })]);
  service = await keystone.createServiceUser();
  project = await keystone.createProject("p1");
  member = await keystone.createUser({ name: "ann", project, roles: ["member", "Auditor"] });
});
after(() => Promise.all([keystone?.stop(), shortLived?.stop()]));

const credentials = (url: string, user: KeystoneUser, more: string) => `[keystone_authtoken]
auth_url = ${url}
www_authenticate_uri = http://identity.example:5000
auth_type = password
username = ${user.name}
password = ${user.password}
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = RegionOne
memcached_servers = 127.0.0.1:11211
${more}`;

function open(t: TestContext, more = "", user: KeystoneUser = service, server: KeystoneServer = keystone): Identity {
  const { identity, close } = openForTest(credentials(server.url, user, more));
  t.after(close);
  return identity;
}

const ask = async (identity: Identity, headers: Record<string, string>) => identity.authenticate(headers, "req-1");
const refused = (error: unknown) =>
  isServiceError(error, "identity.unauthenticated") &&
  error.facts.challenge === 'Keystone uri="http://identity.example:5000"';

test("keystone: a token says user, project, domains and roles, implied ones too, lower-cased", async (t) => {
  const caller = await ask(open(t), { "x-auth-token": await keystone.token(member, { project }) });
  const { roles, ...rest } = caller;
  assert.deepEqual([...roles].sort(), ["auditor", "member", "reader"]);
  assert.deepEqual(rest, {
    userId: member.id,
    projectId: project,
    systemScope: null,
    domainId: null,
    userDomainId: "default",
    projectDomainId: "default",
    isAdmin: false,
    requestId: "req-1",
  });
});

test("keystone: role admin makes an admin; tokens for the system or a domain are for no project", async (t) => {
  const identity = open(t);
  const whole = await ask(identity, { "x-auth-token": await keystone.token(keystone.admin, { system: "all" }) });
  assert.deepEqual([whole.isAdmin, whole.projectId, whole.systemScope], [true, null, "all"]);
  const { roles } = await keystone.call<{ roles: { id: string }[] }>("GET", "/roles?name=admin");
  const { users } = await keystone.call<{ users: { id: string }[] }>("GET", "/users?name=admin");
  await keystone.call("PUT", `/domains/default/users/${users[0]?.id}/roles/${roles[0]?.id}`);
  const domain = await ask(identity, { "x-auth-token": await keystone.token(keystone.admin, { domain: "default" }) });
  assert.deepEqual([domain.projectId, domain.systemScope, domain.domainId], [null, null, "default"]);
});

test("keystone: no token, one that never was, and one that was revoked are refused, and the challenge says where to get one", async (t) => {
  const identity = open(t, "token_cache_time = 0\n");
  const token = await keystone.token(member, { project });
  await ask(identity, { "x-auth-token": ` ${token} ` });
  await keystone.revoke(token);
  const never = ["", "gAAAA", "x".repeat(8_000), "a b", "é/../?x=1", `${token}x`];
  for (const headers of [{}, { "x-auth-token": token }, ...never.map((text) => ({ "x-auth-token": text }))])
    await assert.rejects(ask(identity, headers), refused, JSON.stringify(headers).slice(0, 60));
});

test("keystone: headers that a proxy of trusted-auth would set are not believed", async (t) => {
  const forged = { "x-identity-status": "Confirmed", "x-user-id": "root", "x-roles": "admin", "x-project-id": "p" };
  await assert.rejects(ask(open(t), forged), refused);
  const caller = await ask(open(t), { ...forged, "x-auth-token": await keystone.token(member, { project }) });
  assert.deepEqual([caller.userId, caller.isAdmin], [member.id, false]);
});

test("keystone: a service that forwards a request adds its roles, and one that is none does not", async (t) => {
  const { projects } = await keystone.call<{ projects: { id: string }[] }>("GET", "/projects?name=service");
  const token = await keystone.token(member, { project });
  const forwarder = await keystone.token(service, { project: projects[0]?.id ?? "" });
  const both = { "x-auth-token": token, "x-service-token": forwarder };
  assert.deepEqual([...((await ask(open(t), both)).serviceRoles ?? [])].sort(), [
    "admin",
    "member",
    "reader",
    "service",
  ]);
  // A user's token is no service's, but taken unless the operator requires the role.
  const user = { "x-auth-token": token, "x-service-token": token };
  assert.deepEqual((await ask(open(t), user)).serviceRoles?.includes("member"), true);
  assert.equal((await ask(open(t, "service_token_roles_required = true\n"), user)).serviceRoles, undefined);
  const wrong = { "x-auth-token": token, "x-service-token": "gAAAA" };
  assert.equal((await ask(open(t), wrong)).serviceRoles, undefined);
  await assert.rejects(ask(open(t, "delay_auth_decision = false\n"), wrong), refused);
  await assert.rejects(ask(open(t), { "x-service-token": forwarder }), refused);
});

test("keystone: without a token anonymous callers look around where they are let in", async (t) => {
  const more = "[DEFAULT]\nallow_anonymous_access = true\n";
  for (const headers of [{}, { "x-auth-token": "gAAAA" }]) {
    const caller = await ask(open(t, more), headers);
    assert.deepEqual([caller.readOnly, caller.roles, caller.projectId, caller.isAdmin], [true, [], null, false]);
  }
  await assert.rejects(ask(open(t, `delay_auth_decision = false\n${more}`), {}), refused);
});

test("keystone: a service without the right to validate, or with a wrong password, is the operator's fault and not the client's", async (t) => {
  const token = await keystone.token(member, { project });
  const { projects } = await keystone.call<{ projects: { id: string }[] }>("GET", "/projects?name=service");
  const weak = await keystone.createUser({ name: "weak", project: projects[0]?.id ?? "", roles: ["reader"] });
  const fault = (says: RegExp) => (error: unknown) =>
    isServiceError(error, "identity.unavailable") && says.test(error.message) && !error.message.includes(weak.password);
  await assert.rejects(ask(open(t, "", weak), { "x-auth-token": token }), fault(/role admin or service/));
  const wrong = { ...weak, password: "not it" };
  await assert.rejects(ask(open(t, "", wrong), { "x-auth-token": token }), fault(/refuses the credentials/));
});

test("keystone: an application credential is the service's standing as well", async (t) => {
  const { projects } = await keystone.call<{ projects: { id: string }[] }>("GET", "/projects?name=service");
  const own = await keystone.token(service, { project: projects[0]?.id ?? "" });
  const response = await fetch(`${keystone.url}/users/${service.id}/application_credentials`, {
    method: "POST",
    headers: { "x-auth-token": own, "content-type": "application/json" },
    body: JSON.stringify({ application_credential: { name: "images", secret: "s3cret" } }),
  });
  const { application_credential: credential } = (await response.json()) as { application_credential: { id: string } };
  const { identity, close } = openForTest(`[keystone_authtoken]\nauth_url = ${keystone.url.replace("/v3", "")}
auth_type = v3applicationcredential\napplication_credential_id = ${credential.id}\napplication_credential_secret = s3cret\n`);
  t.after(close);
  assert.equal((await ask(identity, { "x-auth-token": await keystone.token(member, { project }) })).userId, member.id);
});

test("keystone: tokens expire, the service's own is renewed in time, and a service may vouch for one that has just expired", async (t) => {
  const user = await shortLived.createServiceUser();
  const { projects } = await shortLived.call<{ projects: { id: string }[] }>("GET", "/projects?name=service");
  const scope = { project: projects[0]?.id ?? "" };
  const identity = open(t, "", user, shortLived);
  const token = await shortLived.token(user, scope);
  await ask(identity, { "x-auth-token": token });
  await eventually("the token has expired", async () => {
    try {
      await ask(identity, { "x-auth-token": token });
      return false;
    } catch (error) {
      assert(refused(error), String(error));
      return true;
    }
  });
  // The service's own token, as old, would have expired as well.
  const fresh = await shortLived.token(user, scope);
  assert.equal((await ask(identity, { "x-auth-token": fresh })).userId, user.id);
  const vouched = await ask(identity, { "x-auth-token": token, "x-service-token": fresh });
  assert.equal(vouched.userId, user.id);
});

test("keystone: limits are the project's own, and where it has none those that are registered, of this service and region", async (t) => {
  await keystone.createEndpoints("image", "http://127.0.0.1:1");
  await keystone.createEndpoints("other", "http://127.0.0.1:2");
  const { services } = await keystone.call<{ services: { id: string; type: string }[] }>("GET", "/services");
  const idOf = (type: string) => services.find((one) => one.type === type)?.id ?? "";
  const register = (type: string, name: string, limit: number) => ({
    service_id: idOf(type),
    region_id: "RegionOne",
    resource_name: name,
    default_limit: limit,
  });
  const registered = [
    register("image", "image_count_total", 10),
    register("image", "image_size_total", 100),
    register("other", "image_stage_total", 7),
  ];
  await keystone.call("POST", "/registered_limits", { registered_limits: registered });
  const own = { service_id: idOf("image"), region_id: "RegionOne", resource_name: "image_count_total" };
  await keystone.call("POST", "/limits", { limits: [{ ...own, project_id: project, resource_limit: 3 }] });
  const { endpoints } = await keystone.call<{ endpoints: { id: string }[] }>(
    "GET",
    `/endpoints?service_id=${idOf("image")}&interface=public`,
  );
  await keystone.grant(service, "reader", { system: true });
  const text = credentials(keystone.url, service, "").replace("[keystone_authtoken]", "[oslo_limit]");
  const wholeSystem = text.replace(/^(www_|memcached|project_|auth_type).*\n/gm, "");
  const configOf = (endpoint: string) =>
    loadConfig({
      files: [{ file: "glance-api.conf", text: `${wholeSystem}system_scope = all\nendpoint_id = ${endpoint}\n` }],
      groups: [limitOptions],
    });
  const deps = { clock: systemClock, logger: silentLogger };
  const limits = openKeystoneLimits(configOf(endpoints[0]?.id ?? ""), deps);
  const lost = openKeystoneLimits(configOf("none"), deps);
  t.after(() => Promise.all([limits.close(), lost.close()]));
  const [mine, theirs, nobodys] = await Promise.all([project, "f".repeat(32), null].map((id) => limits.of(id)));
  assert.deepEqual(mine, { image_count_total: 3, image_size_total: 100 });
  assert.deepEqual(theirs, { image_count_total: 10, image_size_total: 100 });
  assert.deepEqual(nobodys, theirs);
  await assert.rejects(lost.of(project), (error) => isServiceError(error, "identity.unavailable"));
});

test("keystone: the catalog of a caller's own token says where another region has its images", async (t) => {
  await keystone.call("POST", "/regions", { region: { id: "West" } });
  const west = { type: "image", name: "images of the west" };
  const { id } = (await keystone.call<{ service: { id: string } }>("POST", "/services", { service: west })).service;
  for (const face of ["public", "internal"])
    await keystone.call("POST", "/endpoints", {
      endpoint: { service_id: id, interface: face, url: `http://${face}.example/image/`, region_id: "West" },
    });
  const { regions, close } = openForTest(credentials(keystone.url, service, ""));
  t.after(close);
  const token = await keystone.token(member, { project });
  const at = (region: string, serviceInterface = "public", by = token) =>
    regions?.imageEndpoint({ token: by, region, serviceInterface });
  assert.equal(await at("west"), "http://public.example/image");
  assert.equal(await at("West", "internal"), "http://internal.example/image");
  assert.equal(await at("East"), null);
  assert.equal(await at("West", "private"), null);
  await assert.rejects(
    async () => at("West", "public", "no token"),
    (error) => isServiceError(error, "identity.unauthenticated"),
  );
});
