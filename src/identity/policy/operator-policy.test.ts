// The operator's files over a release's defaults: what they change, what is refused, and how a running node takes a new file.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Caller } from "../../core/caller.ts";
import { isServiceError } from "../../core/errors.ts";
import { type Logger, silentLogger } from "../../core/logger.ts";
import { type ReleaseId, releaseOf, releases } from "../../releases/catalogue.ts";
import type { PolicySettings } from "./config.ts";
import { OperatorPolicy } from "./operator-policy.ts";

const caller = (...roles: string[]): Caller => ({
  userId: "u",
  projectId: "p",
  roles,
  isAdmin: false,
  requestId: "req-1",
});
const member = caller("member", "reader");
const admin = caller("admin", "member", "reader");
const own = { project_id: "p", owner: "p", visibility: "private", member_id: null };
const foreign = { ...own, project_id: "q", owner: "q" };

function folderOf(t: TestContext, files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "policy-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    if (name.includes("/")) mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

function settings(folder: string, release: ReleaseId, changes: Partial<PolicySettings> = {}): PolicySettings {
  return {
    traits: releaseOf(release).capabilities.policy,
    policyFile: join(folder, "policy.yaml"),
    policyFolders: [join(folder, "policy.d")],
    configFiles: [],
    defaultRule: "default",
    enforceScope: null,
    newDefaults: null,
    ...changes,
  };
}

function open(
  t: TestContext,
  release: ReleaseId,
  files: Readonly<Record<string, string>>,
  changes: Partial<PolicySettings> = {},
) {
  return new OperatorPolicy(settings(folderOf(t, files), release, changes));
}

const refused = (message: RegExp) => (error: unknown) =>
  isServiceError(error, "config.invalid") && message.test(error.message);

test("policy: every release's defaults can be read, refer to nothing that is missing, and lead in no circle", (t) => {
  for (const { id } of releases) {
    const policy = open(t, id, {});
    assert.deepEqual(
      policy.warnings.filter((warning) => !/does not exist: the release's own/.test(warning)),
      [],
      id,
    );
    assert(policy.allows("get_image", member, own) && policy.allows("add_image", member, own), id);
    assert(policy.allows("context_is_admin", admin, {}) && !policy.allows("context_is_admin", member, {}), id);
    assert(policy.allows("publicize_image", admin, own) && !policy.allows("publicize_image", member, own), id);
  }
});

test("policy: since 2023.1 rules say whose an image is, before they leave it to the service, as enforce_new_defaults says", (t) => {
  for (const [release, changes, decides] of [
    ["newton", {}, false],
    ["newton", { newDefaults: true }, false],
    ["wallaby", {}, false],
    ["wallaby", { newDefaults: true }, true],
    ["zed", {}, false],
    ["2023.1", {}, true],
    ["2026.1", {}, true],
    ["2026.1", { newDefaults: false }, false],
  ] as const) {
    const policy = open(t, release, {}, changes);
    assert.equal(policy.decidesOwnership, decides, release);
    for (const rule of ["modify_image", "delete_image", "upload_image", "deactivate", "add_member"]) {
      assert.equal(policy.allows(rule, member, foreign), !decides, `${release} ${rule}`);
      assert.equal(policy.allows(rule, caller("reader"), own), !decides, `${release} ${rule}`);
      assert(policy.allows(rule, member, own) && policy.allows(rule, admin, foreign));
    }
  }
});

test("policy: rules came with their releases; a name without a rule is the default rule's", (t) => {
  const at = (release: ReleaseId) => open(t, release, {});
  // Up to Train the default rule is an admin's, then everybody's.
  assert(!at("newton").allows("communitize_image", member, own));
  assert(at("ocata").allows("communitize_image", member, own));
  assert(!at("train").allows("no_such_rule", member, own));
  assert(at("ussuri").allows("no_such_rule", member, own));
  assert(!at("newton").allows("get_tasks", member, {}));
  assert(at("pike").allows("get_tasks", member, {}) && !at("pike").allows("tasks_api_access", member, {}));
  assert(at("2024.2").allows("fetch_image_location", caller("service"), foreign));
  assert(!at("2024.2").allows("fetch_image_location", member, own));
  assert(!at("wallaby").allows("delete_metadef_tag", member, own));
});

test("policy: where tokens of the system or of a domain are refused, projects' rules refuse them", (t) => {
  const system: Caller = { ...admin, projectId: null, systemScope: "all" };
  const domain: Caller = { ...admin, projectId: null, domainId: "d" };
  for (const [release, changes, passes] of [
    ["ussuri", { enforceScope: true }, true],
    ["zed", {}, true],
    ["zed", { enforceScope: true }, false],
    ["2023.1", {}, false],
    ["2023.1", { enforceScope: false }, true],
    ["2026.1", { enforceScope: false }, false],
  ] as const) {
    const policy = open(t, release, {}, changes);
    for (const one of [system, domain]) assert.equal(policy.allows("delete_image", one, foreign), passes, release);
    assert(policy.allows("context_is_admin", system, {}));
  }
});

test("policy: the operator's rules go over the release's; folders over the file, in the order of names", (t) => {
  const policy = open(t, "2026.1", {
    "policy.yaml": '"publicize_image": "role:publisher"\ncopy_image: "role:one"\n',
    "policy.d/10.yaml": 'copy_image: "role:two"',
    "policy.d/20.json":
      '{\n\t"copy_image": [["role:three"], ["role:four", "role:five"]],\n\t"stores_info_detail": "rule:mine",\n\t"mine": "user_id:u"\n}',
    "policy.d/.hidden.yaml": "copy_image: '@'",
  });
  assert(policy.allows("publicize_image", caller("publisher"), own) && !policy.allows("publicize_image", admin, own));
  assert(policy.allows("copy_image", caller("three"), own) && !policy.allows("copy_image", caller("two"), own));
  assert(policy.allows("copy_image", caller("four", "five"), own) && !policy.allows("copy_image", caller("four"), own));
  assert(policy.allows("stores_info_detail", caller(), own));
  // Unnamed ones keep their defaults.
  assert(!policy.allows("delete_image", member, foreign));
  assert.match(policy.warnings.join("\n"), /20\.json: rules in JSON/);
});

test("policy: up to Train an operator's file is all there is, and what it leaves out is its default rule's", (t) => {
  const policy = open(t, "newton", { "policy.yaml": '{"default": "role:admin", "get_image": ""}' });
  assert(policy.allows("get_image", member, own) && !policy.allows("add_image", member, own));
  const open2 = open(t, "newton", { "policy.yaml": '{"get_image": "role:admin"}' });
  assert(open2.allows("add_image", member, own) && !open2.allows("context_is_admin", member, {}));
});

test("policy: until new defaults are enforced, what the operator wrote for the cache holds for each of its rules", (t) => {
  const files = { "policy.yaml": 'manage_image_cache: "role:cacher"\ncache_list: "role:lister"' };
  const old = open(t, "2026.1", files, { newDefaults: false });
  assert(old.allows("cache_delete", caller("cacher"), {}) && old.allows("cache_delete", admin, {}));
  assert(old.allows("cache_list", caller("lister"), {}) && !old.allows("cache_list", caller("cacher"), {}));
  assert(!open(t, "2026.1", files).allows("cache_delete", caller("cacher"), {}));
});

test("policy: policy_default_rule stands for rules that do not exist", (t) => {
  const policy = open(t, "2026.1", { "policy.yaml": 'fallback: "role:x"' }, { defaultRule: "fallback" });
  assert(policy.allows("no_such_rule", caller("x"), {}) && !policy.allows("no_such_rule", admin, {}));
  const none = open(t, "2026.1", {}, { defaultRule: "nowhere" });
  assert(!none.allows("no_such_rule", admin, {}));
});

test("policy: a broken file is refused with its name, line, rule and place", (t) => {
  const broken: readonly (readonly [text: string, message: RegExp])[] = [
    ['\nget_image: "role:a or"', /policy\.yaml, line 2: rule get_image: it ends where .*, at character 10/],
    ["get_image: @", /policy\.yaml, line 1: Plain value cannot start with reserved character @/],
    ["a: 'x:y'\nget_image: !", /line 2: rule get_image: write the rule in quotes/],
    ['- "role:a"', /line 1: it must hold names/],
    ["{", /policy\.yaml, line 1/],
    ["get_image: {role: a}", /line 1: rule get_image: it is neither text nor a list/],
    ["get_image: true", /line 1: rule get_image/],
    ['get_image: "http://example.org"', /line 1: rule get_image: checks that ask another service/],
    [
      'a: "rule:b"\nb: "not rule:c"\nc: "role:x or rule:a"',
      /line 1: rules of policy ask each other in a circle: a -> b -> c -> a/,
    ],
    ['get_image: "rule:get_image"', /get_image -> get_image/],
    ['default: "rule:no_such"', /circle: default -> no_such/],
  ];
  for (const [text, message] of broken)
    assert.throws(() => open(t, "2026.1", { "policy.yaml": text }), refused(message), text);
});

test("policy: what is odd is warned about: unknown rules, missing ones, the same name twice, an empty rule, a missing file", (t) => {
  const text =
    'get_imagse: "role:a"\nget_image: "rule:nowhere"\nhelper: "role:a"\nadd_image: "rule:helper"\nadd_image: "@"\nadd_member:';
  const warnings = open(t, "2026.1", { "policy.yaml": text }).warnings.join("\n");
  for (const expected of [
    /line 1: rule get_imagse is none/,
    /line 2: rule get_image refers to rule nowhere/,
    /line 5: rule add_image stands in the file twice/,
    /line 6: rule add_member is empty and lets everybody pass/,
  ])
    assert.match(warnings, expected);
  assert.match(open(t, "2026.1", {}).warnings.join(), /policy\.yaml does not exist/);
  assert.deepEqual(open(t, "2026.1", { "policy.yaml": "# nothing\n" }).warnings, []);
});

test("policy: unnamed, policy.yaml beside the configuration is read, else policy.json", (t) => {
  const folder = folderOf(t, { "policy.json": '{"copy_image": "role:json"}' });
  const beside = { policyFile: null, configFiles: [join(folder, "glance-api.conf")], policyFolders: [] };
  assert(new OperatorPolicy(settings(folder, "2026.1", beside)).allows("copy_image", caller("json"), {}));
  writeFileSync(join(folder, "policy.yaml"), "copy_image: role:yaml");
  assert(new OperatorPolicy(settings(folder, "2026.1", beside)).allows("copy_image", caller("yaml"), {}));
});

/** Keeps what was logged, by level. */
function listening(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const note = (level: string) => (facts: unknown, text?: string) => {
    lines.push(`${level}: ${text ?? String(facts)} ${JSON.stringify(facts)}`);
  };
  const logger: Logger = Object.assign(Object.create(silentLogger), {
    info: note("info"),
    warn: note("warn"),
    error: note("error"),
  });
  return { logger, lines };
}

test("policy: a changed file is in effect once it has stood still; a broken one changes nothing and is said once", (t) => {
  const folder = folderOf(t, { "policy.yaml": "copy_image: role:one" });
  const file = join(folder, "policy.yaml");
  const policy = new OperatorPolicy(settings(folder, "2026.1"));
  const { logger, lines } = listening();
  const may = (role: string) => policy.allows("copy_image", caller(role), {});
  policy.check(logger);
  assert.deepEqual(lines, []);

  // Half a file, which by itself is good YAML.
  writeFileSync(file, "# two");
  policy.check(logger);
  assert(may("one"));
  writeFileSync(file, "# two\ncopy_image: role:two");
  policy.check(logger);
  assert(may("one") && !may("two"));
  policy.check(logger);
  assert(may("two") && !may("one"));
  assert.match(lines.join(), /info: the policy was read again/);

  writeFileSync(file, "copy_image: role:three or");
  lines.length = 0;
  for (let time = 0; time < 4; time++) policy.check(logger);
  assert(may("two"));
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /error: .*policy\.yaml, line 1: rule copy_image/);

  writeFileSync(`${file}.new`, "copy_image: role:four");
  renameSync(`${file}.new`, file);
  policy.check(logger);
  policy.check(logger);
  assert(may("four"));
});

test("policy: a file that disappears takes no rule with it; new files of a folder count, once they can be read", (t) => {
  const folder = folderOf(t, { "policy.yaml": "copy_image: role:one", "policy.d/x.yaml": "" });
  const policy = new OperatorPolicy(settings(folder, "2026.1"));
  const { logger, lines } = listening();
  const twice = () => {
    policy.check(logger);
    policy.check(logger);
  };
  rmSync(join(folder, "policy.yaml"));
  twice();
  assert(policy.allows("copy_image", caller("one"), {}));
  assert.match(lines.join(), /error: .*policy\.yaml is gone/);
  writeFileSync(join(folder, "policy.yaml"), "copy_image: role:two");
  writeFileSync(join(folder, "policy.d", "y.yaml"), "add_image: role:adder");
  twice();
  assert(policy.allows("copy_image", caller("two"), {}) && policy.allows("add_image", caller("adder"), own));
});
