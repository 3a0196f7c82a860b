// Who may touch which properties, by roles and by rules, and which files keep a node from starting.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Caller } from "../../core/caller.ts";
import { isServiceError } from "../../core/errors.ts";
import { openPropertyProtections, type ProtectionOptions } from "./property-protections.ts";
import { parseProtections } from "./protection-file.ts";

const caller = (roles: string[], serviceRoles: string[] = []): Caller => ({
  userId: "u",
  projectId: "p",
  roles,
  serviceRoles,
  isAdmin: false,
  requestId: "req-1",
});

function open(t: TestContext, text: string, changes: Partial<ProtectionOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "protections-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "protections.conf");
  writeFileSync(file, text);
  const policy = {
    has: (rule: string) => rule !== "no_such",
    allows: (rule: string, { roles }: Caller) => roles.includes(rule),
  };
  return openPropertyProtections({ file, format: "roles", policy, ownProperties: null, ...changes });
}

const all = (who: string) => `create = ${who}\nread = ${who}\nupdate = ${who}\ndelete = ${who}\n`;

test("protections: the first section found in a name decides; a name none is found in is nobody's", (t) => {
  const guard = open(
    t,
    `# comment\n[^x_owner_.*]\ncreate = admin,Member\nread = admin, member\n  ,auditor\nupdate = admin\ndelete = !\n\n[^x_]\n${all("billing")}[open]\n${all("@")}`,
  );
  const member = caller(["member"]);
  assert(guard.allows("create", "x_owner_id", member) && guard.allows("read", "x_owner_id", member));
  assert(!guard.allows("update", "x_owner_id", member) && !guard.allows("delete", "x_owner_id", caller(["admin"])));
  assert(guard.allows("read", "x_owner_id", caller(["auditor"])));
  assert(guard.allows("read", "x_bill", caller(["billing"])) && !guard.allows("read", "x_bill", member));
  assert(guard.allows("delete", "reopened", caller([])));
  assert(!guard.allows("read", "elsewhere", caller(["admin"])));
  // Asked again, for a known answer.
  assert(!guard.allows("read", "x_bill", member) && guard.allows("read", "x_owner_id", member));
});

test("protections: roles of the service's own token count", (t) => {
  const guard = open(t, `[a]\n${all("nova")}`);
  assert(guard.allows("update", "a", caller([], ["nova"])) && !guard.allows("update", "a", caller(["member"])));
});

test("protections: nothing named is nobody", (t) => {
  assert(!open(t, `[a]\n${all("")}`).allows("read", "a", caller(["admin"])));
});

test("protections: by policies one rule of the policy decides, and must exist", (t) => {
  const guard = open(t, `[a]\n${all("glance_creator")}[b]\n${all("@")}`, { format: "policies" });
  assert(guard.allows("create", "a", caller(["glance_creator"])) && !guard.allows("create", "a", caller(["admin"])));
  assert(guard.allows("read", "b", caller([])));
  const refused = (error: unknown) =>
    isServiceError(error, "config.invalid") && /line 1: there is no rule no_such/.test(error.message);
  assert.throws(() => open(t, `[a]\n${all("no_such")}`, { format: "policies" }), refused);
});

test("protections: the service's own properties stay everybody's where the release says so", (t) => {
  const text = `[.*]\n${all("admin")}`;
  assert(open(t, text, { ownProperties: /^os_glance/ }).allows("read", "os_glance_failed_import", caller([])));
  assert(!open(t, text).allows("read", "os_glance_failed_import", caller([])));
});

test("protections: Python's spellings are understood, and sections may hold brackets", () => {
  const matches = (section: string, name: string) =>
    parseProtections(`[${section}]\n${all("@")}`, "f", "roles")[0]?.pattern.test(name);
  assert(matches("[^[a-z]", "A") && !matches("^[a-c]+$", "abcd"));
  assert(matches("\\Aabc\\Z", "abc") && !matches("\\Aabc\\Z", "xabc"));
  assert(
    matches("(?i)ABC", "xabc") && matches("(?P<x>a)b", "ab") && matches("a\\.b", "a.b") && !matches("a\\.b", "axb"),
  );
});

test("protections: a broken file is refused with its name and line", (t) => {
  const broken: readonly (readonly [text: string, format: "roles" | "policies", message: RegExp])[] = [
    ["", "roles", /no section/],
    ["create = a", "roles", /line 1: .*inside one/],
    ["[a]\ncreate", "roles", /line 2: it is neither/],
    ["\n[a]\ncreate = a\nread = a\nupdate = a", "roles", /line 2: the section lacks delete/],
    [`[a(]\n${all("@")}`, "roles", /line 1: \[a\(\] is no regular expression/],
    [`[a]\n${all("@,!")}`, "roles", /line 2: @ .* exclude/],
    [`[a]\n${all("x,y")}`, "policies", /line 2: one rule/],
  ];
  for (const [text, format, message] of broken)
    assert.throws(
      () => open(t, text, { format }),
      (error) =>
        isServiceError(error, "config.invalid") &&
        /protections\.conf/.test(error.message) &&
        message.test(error.message),
      text,
    );
  assert.throws(() => open(t, "", { file: "/nowhere/at-all" }), /cannot be read/);
});
