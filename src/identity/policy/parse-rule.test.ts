// The rule language: what each rule lets pass, and where a wrong one is wrong.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Caller, PolicyTarget } from "../../core/caller.ts";
import type { Check } from "./check.ts";
import { evaluate } from "./evaluate.ts";
import { parseRule } from "./parse-rule.ts";
import { RuleSyntaxError } from "./tokens.ts";

const caller: Caller = {
  userId: "u1",
  projectId: "p1",
  roles: ["member", "reader"],
  serviceRoles: ["service"],
  isAdmin: false,
  requestId: "req-1",
};
const target: PolicyTarget = {
  owner: "p1",
  project_id: "p1",
  other: "p2",
  visibility: "public",
  role: "Member",
  no: null,
};
const others: Readonly<Record<string, string>> = { yes: "@", no: "!", member: "role:member" };

function allows(rule: unknown, who: Caller = caller, what: PolicyTarget = target): boolean {
  const find = (name: string): Check | undefined => (Object.hasOwn(others, name) ? parseRule(others[name]) : undefined);
  return evaluate(parseRule(rule), { caller: who, target: what, rule: find });
}

const cases: readonly (readonly [rule: unknown, passes: boolean])[] = [
  ["", true],
  ["  ", true],
  ["@", true],
  ["!", false],
  ["role:member", true],
  ["role:MEMBER", true],
  ["role:admin", false],
  ["role:%(role)s", true],
  ["role:%(missing)s", false],
  ["rule:yes", true],
  ["rule:no", false],
  ["rule:missing", false],
  ["rule:member and rule:yes", true],
  ["not role:admin", true],
  ["not not role:admin", false],
  ["NOT role:admin AND role:member", true],
  ["not role:admin and role:nobody", false],
  ["not (role:admin and role:nobody)", true],
  ["not (role:admin or role:member)", false],
  // `and` binds closer than `or`, on either side of it.
  ["@ or ! and !", true],
  ["! and ! or @", true],
  ["(@ or !) and !", false],
  ["! or @ and @ or !", true],
  ["! or @ and not @ or !", false],
  ["((role:member))", true],
  ["( role:member )", true],
  ["(role:member and (project_id:%(project_id)s))", true],
  ["role:admin or (role:member and project_id:%(owner)s)", true],
  ["role:admin or (role:member and project_id:%(other)s)", false],
  ["project_id:p1", true],
  ["tenant:%(owner)s", true],
  ["user_id:u1", true],
  ["user_id:%(missing)s", false],
  ["is_admin:True", false],
  ["is_admin:False", true],
  ["is_admin:true", false],
  ["service_roles:service", true],
  ["service_role:service", true],
  ["service_roles:member", false],
  ["roles:reader", true],
  ["no_such_attribute:x", false],
  ["system_scope:all", false],
  ["'public':%(visibility)s", true],
  ['"public":%(visibility)s', true],
  ["'private':%(visibility)s", false],
  ["'public':%(missing)s", false],
  ["not 'public':%(missing)s", true],
  ["None:%(no)s", true],
  ["None:%(owner)s", false],
  ["True:True", true],
  ["True:False", false],
  ["7:7", true],
  ["'a-p1-b':a-%(owner)s-b", true],
  ["'100%':100%%", true],
  ["'a':a", true],
  [[], true],
  [[[]], false],
  [["role:member"], true],
  [["role:admin", "role:member"], true],
  [[["role:admin", "role:member"]], false],
  [[["role:member", "project_id:%(owner)s"], "role:admin"], true],
  [[[], ["role:admin"]], false],
  [["@"], true],
  [["!"], false],
];

for (const [rule, passes] of cases)
  test(`policy language: ${JSON.stringify(rule)} ${passes ? "lets pass" : "refuses"}`, () => {
    assert.equal(allows(rule), passes);
  });

test("policy language: what nobody has equals nothing, not even nothing", () => {
  const nobody: Caller = { ...caller, projectId: null, userId: null };
  for (const rule of ["project_id:%(no)s", "user_id:%(no)s", "project_id:None", "domain_id:%(no)s"])
    assert.equal(allows(rule, nobody), false, rule);
});

test("policy language: an admin of the policy and a token of the system are seen", () => {
  assert(allows("is_admin:True", { ...caller, isAdmin: true }));
  assert(allows("system_scope:all", { ...caller, systemScope: "all" }));
  assert(allows("domain_id:d1", { ...caller, domainId: "d1" }));
});

const wrong: readonly (readonly [rule: unknown, position: number | null, message: RegExp])[] = [
  ["member", 1, /no check/],
  ["role:a member", 8, /"member" where and, or or the end/],
  ["role:a and", 11, /ends where a check/],
  ["and role:a", 1, /"and" where a check/],
  ["role:a or or role:b", 11, /"or" where a check/],
  ["not", 4, /ends where/],
  ["(role:a", 8, /ends where and, or or \)/],
  ["role:a)", 7, /"\)" where/],
  ["()", 2, /"\)" where a check/],
  ["role:a xor role:b", 8, /"xor"/],
  ["role:b or admin", 11, /"admin" is no check/],
  [":x", 1, /no check/],
  ["project_id:%(owner)d", 12, /%\(name\)s/],
  ["role:a or project_id:%owner", 22, /%\(name\)s/],
  ["'public:%(visibility)s", 1, /closing quote/],
  // The first colon ends the kind, as in the reference.
  ["'a:b':a:b", 1, /closing quote/],
  ["@ or http://example.org/%(owner)s", 6, /not supported/],
  ["https://example.org", 1, /not supported/],
  [["role:a", "b"], 1, /"b" is no check/],
  [["role:a", 7], null, /no text/],
  [{ role: "a" }, null, /neither text nor a list/],
  [true, null, /neither text nor a list/],
  [`${"(".repeat(200)}@${")".repeat(200)}`, 102, /nested/],
];

for (const [rule, position, message] of wrong)
  test(`policy language: ${JSON.stringify(rule).slice(0, 60)} is refused at its place`, () => {
    assert.throws(
      () => parseRule(rule),
      (error) => error instanceof RuleSyntaxError && error.position === position && message.test(error.message),
    );
  });

/** A random rule beside what it must say of a caller for whom `@` holds and `!` does not. */
const expression: fc.Arbitrary<{ text: string; value: boolean }> = fc.letrec<{ any: { text: string; value: boolean } }>(
  (tie) => ({
    any: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom({ text: "@", value: true }, { text: "!", value: false }, { text: "role:member", value: true }),
      tie("any").map(({ text, value }) => ({ text: `not (${text})`, value: !value })),
      fc
        .tuple(tie("any"), tie("any"))
        .map(([a, b]) => ({ text: `(${a.text}) and (${b.text})`, value: a.value && b.value })),
      fc
        .tuple(tie("any"), tie("any"))
        .map(([a, b]) => ({ text: `(${a.text}) or ${b.text}`, value: a.value || b.value })),
    ),
  }),
).any;

test("policy language: any rule that is put together by its grammar means what its parts mean", () => {
  fc.assert(fc.property(expression, ({ text, value }) => allows(text) === value));
});

test("policy language: any text at all is a rule or a syntax error", () => {
  const words = fc.constantFrom("and", "or", "not", "(", ")", "role:a", "@", "!", "x", "%(a)s", "'a':%(b)s", " ");
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(words).map((some) => some.join(" ")),
      ),
      (text) => {
        try {
          parseRule(text);
        } catch (error) {
          assert(error instanceof RuleSyntaxError, String(error));
        }
      },
    ),
  );
});
