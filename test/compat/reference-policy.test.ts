// Our policy beside the reference's own, at the release that Debian's package is of: each default rule, and rules of an operator's file,
// for callers and images of every kind.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Caller, PolicyTarget } from "../../src/core/caller.ts";
import { OperatorPolicy } from "../../src/identity/policy/operator-policy.ts";
import { releaseOf } from "../../src/releases/catalogue.ts";

const script = fileURLToPath(new URL("./reference-policy.py", import.meta.url));

type Situation = { readonly caller: Caller; readonly target: PolicyTarget };

const roleSets = [[], ["reader"], ["member"], ["member", "reader"], ["admin"], ["service"], ["x"]];
const situations: readonly Situation[] = roleSets.flatMap((roles) =>
  ["p", "q"].flatMap((projectId) =>
    ["public", "private", "shared", "community"].flatMap((visibility) =>
      [null, "q"].map((member) => ({
        caller: {
          userId: "u",
          projectId,
          roles,
          serviceRoles: ["nova"],
          isAdmin: roles.includes("admin"),
          requestId: "r",
        },
        target: {
          project_id: "p",
          owner: "p",
          visibility,
          member_id: member,
          image_id: "i",
          name: "a (b)",
          property: "x",
        },
      })),
    ),
  ),
);

/** As the reference's context hands a caller to its rules. */
const credsOf = ({ userId, projectId, roles, serviceRoles, isAdmin }: Caller) => ({
  user_id: userId,
  project_id: projectId,
  tenant: projectId,
  roles,
  service_roles: serviceRoles,
  is_admin: isAdmin,
});

const operators: Readonly<Record<string, unknown>> = {
  t_and_or: "role:x or role:reader and project_id:%(owner)s",
  t_or_and: "role:reader and project_id:%(owner)s or role:x",
  t_three: "role:x or role:reader and project_id:q or role:admin and not role:x",
  t_not: "not role:x and not (role:member or role:admin)",
  t_not_not: "not not role:member",
  t_nested: "((role:x) or (role:member and (project_id:q or ('shared':%(visibility)s))))",
  t_case: "Role:x OR role:READER AND NOT role:Member",
  t_rule: "rule:t_not or rule:t_nowhere",
  t_literal: "'private':%(visibility)s and True:True and None:None and 7:7",
  t_admin: "is_admin:True",
  t_service: "service_roles:nova and service_roles:nova",
  t_missing: "project_id:%(nothing)s or role:%(nothing)s",
  t_property: "role:%(property)s",
  t_empty: "",
  t_lists: [["role:x"], ["role:member", "project_id:q"], "role:admin"],
  t_list_and: [["role:reader", "@", "tenant:%(owner)s"]],
  t_list_empty: [],
  t_list_of_empty: [[]],
  t_percent: "'50%-p':50%%-%(owner)s",
};

function compare(t: TestContext, rules: Readonly<Record<string, unknown>>, newDefaults: boolean): number {
  const folder = mkdtempSync(join(tmpdir(), "reference-policy-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "policy.yaml");
  writeFileSync(file, JSON.stringify(rules));
  const ask = {
    file,
    newDefaults,
    rules: Object.keys(rules),
    situations: situations.map(({ caller, target }) => ({ creds: credsOf(caller), target })),
  };
  const answer = execFileSync("/usr/bin/python3", [script], {
    input: JSON.stringify(ask),
    timeout: 900_000,
    maxBuffer: 64 << 20,
  });
  const theirs = JSON.parse(answer.toString()) as Readonly<Record<string, readonly boolean[]>>;
  const policy = new OperatorPolicy({
    traits: releaseOf("zed").capabilities.policy,
    policyFile: file,
    policyFolders: [],
    configFiles: [],
    defaultRule: "default",
    enforceScope: false,
    newDefaults,
  });
  let compared = 0;
  for (const [name, answers] of Object.entries(theirs)) {
    assert(policy.has(name), `rule ${name} is one of the reference's`);
    for (const [index, expected] of answers.entries()) {
      const { caller, target } = situations[index] ?? assert.fail("as many answers as questions");
      assert.equal(policy.allows(name, caller, target), expected, `${name}: ${JSON.stringify({ caller, target })}`);
      compared++;
    }
  }
  return compared;
}

test("reference: each of its default rules lets the same callers pass as ours, with the old defaults and the new", (t) => {
  for (const newDefaults of [false, true]) assert(compare(t, {}, newDefaults) > 5_000);
});

test("reference: rules of an operator mean the same to it and to us", (t) => {
  compare(t, operators, true);
  compare(t, { ...operators, default: "role:x", manage_image_cache: "role:member", metadef_default: "!" }, false);
});
