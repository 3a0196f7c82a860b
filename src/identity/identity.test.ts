// Who callers are found to be, and what is refused before anybody is believed.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isServiceError } from "../core/errors.ts";
import type { ReleaseId } from "../releases/catalogue.ts";
import { ocataPolicy } from "../releases/policy-traits.ts";
import { fakeauth as fakeauthSource, refuseExposedFakeauth } from "./fakeauth.ts";
import { createIdentity, nobody } from "./identity.ts";
import { openForTest } from "./keystone/testing/open-for-test.ts";
import { defaultPolicyOf } from "./policy/default-policy.ts";

const defaultPolicy = defaultPolicyOf(ocataPolicy);
const none = createIdentity({ source: nobody, policy: defaultPolicy });
const fakeauth = createIdentity({ source: fakeauthSource, policy: defaultPolicy });
const caller = (token: string | undefined) =>
  fakeauth.authenticate(token === undefined ? {} : { "x-auth-token": token }, "req-1");

test("identity: without a flavor everybody is an admin of no project, whatever the token says", () => {
  assert.deepEqual(none.authenticate({ "x-auth-token": "u:p:member" }, "req-1"), {
    userId: null,
    projectId: null,
    roles: ["admin"],
    isAdmin: true,
    requestId: "req-1",
  });
});

test("identity: a fakeauth token names user, project and roles, lower-cased", () => {
  assert.deepEqual(caller("ann:p1:Member,Reader"), {
    userId: "ann",
    projectId: "p1",
    roles: ["member", "reader"],
    isAdmin: false,
    requestId: "req-1",
  });
});

test("identity: a fakeauth member is a reader too, as Keystone would have it; other roles bring nothing", async () => {
  assert.deepEqual((await caller("ann:p1:member")).roles, ["member", "reader"]);
  assert.deepEqual((await caller("ann:p1:reader,auditor")).roles, ["reader", "auditor"]);
});

test("identity: a fakeauth token may come percent-encoded, as the glance client sends it", () => {
  assert.deepEqual(caller("ann%3Ap1%3AMember%2CReader"), caller("ann:p1:Member,Reader"));
  assert.throws(() => caller("ann%3Ap1%3"), /X-Auth-Token/);
});

test("identity: role admin makes an admin, who has what it implies, and project none is no project", () => {
  assert.deepEqual(caller("root:none:ADMIN"), {
    userId: "root",
    projectId: null,
    roles: ["admin", "member", "reader"],
    isAdmin: true,
    requestId: "req-1",
  });
});

test("identity: a missing or malformed fakeauth token is refused with a challenge", () => {
  for (const token of [undefined, "", "ann", "ann:p1", "ann:p1:member:more", ":p1:member", "ann::member", "::"]) {
    assert.throws(
      () => caller(token),
      (error) => isServiceError(error, "identity.unauthenticated") && typeof error.facts.challenge === "string",
      String(token),
    );
  }
});

test("identity: any token at all gives a caller or identity.unauthenticated", () => {
  fc.assert(
    fc.property(fc.string(), (token) => {
      try {
        caller(token);
      } catch (error) {
        assert(isServiceError(error, "identity.unauthenticated"));
      }
    }),
  );
});

test("identity: fakeauth listens on loopback only, unless told otherwise", () => {
  for (const bindHost of ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
    refuseExposedFakeauth({ callers: "fakeauth", bindHost, anywhere: false });
  for (const bindHost of ["0.0.0.0", "::", "10.0.0.1", "glance.example", "127.0.0.1.example"])
    assert.throws(
      () => refuseExposedFakeauth({ callers: "fakeauth", bindHost, anywhere: false }),
      (error) => isServiceError(error, "config.invalid"),
      bindHost,
    );
  refuseExposedFakeauth({ callers: "fakeauth", bindHost: "0.0.0.0", anywhere: true });
  refuseExposedFakeauth({ callers: "none", bindHost: "0.0.0.0", anywhere: false });
});

test("identity: the default policy lets members work on images and keeps publishing for admins", () => {
  const member = { userId: "u", projectId: "p", roles: ["member"], isAdmin: false, requestId: "req-1" };
  assert(defaultPolicy.allows("add_image", member, {}));
  assert(defaultPolicy.allows("communitize_image", member, {}));
  assert(!defaultPolicy.allows("publicize_image", member, {}));
  assert(!defaultPolicy.allows("no_such_rule", member, {}));
  assert(defaultPolicy.allows("publicize_image", { ...member, roles: ["admin"] }, {}));
});

const proxied = {
  "x-identity-status": "Confirmed",
  "x-user-id": "ann",
  "x-tenant-id": "old",
  "x-project-id": "p1",
  "x-roles": "Member, reader,,member",
  "x-service-roles": "Service",
  "x-user-domain-id": "default",
  "openstack-system-scope": "all",
};

test("identity: behind a proxy that authenticates, its headers say who calls", async () => {
  const { identity } = openForTest("", { callers: "headers" });
  assert.deepEqual(await identity.authenticate(proxied, "req-1"), {
    userId: "ann",
    projectId: "p1",
    roles: ["member", "reader"],
    serviceRoles: ["service"],
    systemScope: "all",
    domainId: null,
    userDomainId: "default",
    projectDomainId: null,
    isAdmin: false,
    requestId: "req-1",
  });
  const older = { "x-identity-status": "Confirmed", "x-tenant-id": "old", "x-roles": "ADMIN" };
  const caller = await identity.authenticate(older, "req-1");
  assert.deepEqual([caller.userId, caller.projectId, caller.isAdmin], [null, "old", true]);
  for (const status of ["Invalid", "confirmed", undefined])
    assert.throws(
      () => identity.authenticate({ ...proxied, "x-identity-status": status }, "req-1"),
      (error) => isServiceError(error, "identity.unauthenticated"),
    );
});

test("identity: admin_role makes admins up to Victoria, beside the policy, and no later", async () => {
  const text = "[DEFAULT]\nadmin_role = Keeper\n";
  const isAdmin = async (release: ReleaseId, token: string) =>
    (await openForTest(text, { callers: "fakeauth", release }).identity.authenticate({ "x-auth-token": token }, "r"))
      .isAdmin;
  for (const [release, byOption] of [
    ["newton", true],
    ["victoria", true],
    ["wallaby", false],
    ["2026.1", false],
  ] as const) {
    assert.equal(await isAdmin(release, "ann:p1:keeper"), byOption, release);
    assert.equal(await isAdmin(release, "ann:p1:admin"), true, release);
    assert.equal(await isAdmin(release, "ann:p1:member"), false, release);
  }
});

test("identity: from Wallaby to Zed enforce_secure_rbac alone is refused; other releases do not read it", () => {
  const half = "[DEFAULT]\nenforce_secure_rbac = true\n";
  const whole = `${half}[oslo_policy]\nenforce_new_defaults = true\n`;
  for (const release of ["wallaby", "zed"] as const) {
    assert.throws(() => openForTest(half, { callers: "none", release }), /enforce_secure_rbac is true.*set both alike/);
    openForTest(whole, { callers: "none", release });
    openForTest("", { callers: "none", release });
  }
  for (const release of ["victoria", "2023.1"] as const) openForTest(half, { callers: "none", release });
});

test("identity: what [keystone_authtoken] lacks is named", () => {
  const base = "[keystone_authtoken]\nauth_url = http://127.0.0.1:1/identity/v2.0\n";
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["", /auth_url is not set/],
    ["[keystone_authtoken]\nauth_url = keystone\n", /auth_url is "keystone": give a URL/],
    [base, /password is not set/],
    [`${base}password = p\n`, /username is not set/],
    [`${base}password = p\nusername = u\n`, /project_name is not set/],
    [`${base}password = p\nusername = u\nsystem_scope = some\n`, /system_scope is "some"/],
    [`${base}auth_type = v3applicationcredential\n`, /application_credential_secret is not set/],
    [`${base}password = p\nusername = u\nproject_name = s\ncafile = /none.pem\n`, /cafile: .*none\.pem/],
  ];
  for (const [text, message] of wrong)
    assert.throws(
      () => openForTest(text),
      (error) => isServiceError(error, "config.invalid") && message.test(error.message),
      text,
    );
  openForTest(`${base}password = p\nusername = u\nproject_name = s\n`);
  // The paste file's section goes before glance-api.conf.
  assert.throws(() => openForTest(base, { authtoken: { auth_url: "nowhere" } }), /"nowhere"/);
});
