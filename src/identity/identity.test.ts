// Who callers are found to be, and what is refused before anybody is believed.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isServiceError } from "../core/errors.ts";
import { ocataPolicy } from "../releases/policy-traits.ts";
import { fakeauth as fakeauthSource, refuseExposedFakeauth } from "./fakeauth.ts";
import { createIdentity, nobody } from "./identity.ts";
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
