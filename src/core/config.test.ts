import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadConfig } from "./config.ts";
import { findConfigFiles } from "./config-files.ts";
import { isServiceError } from "./errors.ts";
import { optionGroup } from "./options.ts";

const folder = mkdtempSync(join(tmpdir(), "perennial-config-"));
after(() => rmSync(folder, { recursive: true }));

let written = 0;
function file(text: string): string {
  const path = join(folder, `${written++}.conf`);
  writeFileSync(path, text);
  return path;
}

const base = optionGroup("DEFAULT", {
  bind_host: { type: "string", default: "0.0.0.0", help: "" },
  bind_port: { type: "integer", default: 9292, min: 1, max: 65535, help: "" },
  workers: { type: "integer", default: null, min: 0, help: "" },
  debug: { type: "boolean", default: false, help: "" },
  ratio: { type: "number", default: 0.5, min: 0, help: "" },
  state_path: { type: "string", default: "/var/lib/glance", help: "" },
  lock_path: { type: "string", default: "$state_path/lock", help: "" },
  methods: { type: "list", default: ["a"], help: "" },
  dirs: { type: "multi", default: [], help: "" },
});
const database = optionGroup("database", {
  connection: { type: "string", default: null, secret: true, deprecated: ["DEFAULT.sql_connection"], help: "" },
});
const own = optionGroup("perennial", {
  release: { type: "string", default: "ocata", choices: ["newton", "ocata"], help: "" },
});
const groups = [base, database, own];
const load = (...texts: string[]) => loadConfig({ files: texts.map(file), groups });

function refusal(text: string): string {
  try {
    load(text);
  } catch (error) {
    assert(isServiceError(error, "config.invalid"), String(error));
    assert(!error.message.includes("\n"), "one line");
    return error.message;
  }
  return assert.fail(`accepted: ${text}`);
}

test("config: without a file every option has its default", () => {
  const values = load().read(base);
  assert.equal(values.bind_port, 9292);
  assert.equal(values.workers, null);
  assert.deepEqual(values.methods, ["a"]);
  assert.equal(values.lock_path, "/var/lib/glance/lock");
});

test("config: the INI dialect of oslo.config is read", () => {
  const values = load(`
# a comment
; another
[default]
bind-host: 127.0.0.1
bind_port = 80
bind_port = 81
debug = Yes
workers =
ratio = .25
methods = [glance-direct, web-download ,copy-image]
dirs = /one:1
dirs = "/two:2"
state_path = /srv/
  glance
  # not a comment
lock_path = \${state_path}-$bind_port-$DEFAULT.bind_host-$$-\\$
`).read(base);
  assert.equal(values.bind_host, "127.0.0.1");
  assert.equal(values.bind_port, 81);
  assert.equal(values.debug, true);
  assert.equal(values.workers, null);
  assert.equal(values.ratio, 0.25);
  assert.deepEqual(values.methods, ["glance-direct", "web-download", "copy-image"]);
  assert.deepEqual(values.dirs, ["/one:1", "/two:2"]);
  assert.equal(values.state_path, "/srv/\nglance\n# not a comment");
  assert.equal(values.lock_path, "/srv/\nglance\n# not a comment-81-127.0.0.1-$-$");
});

test("config: later files win, and repeats of a multi option add up", () => {
  const values = load("[DEFAULT]\nbind_port = 1\ndirs = a", "[DEFAULT]\nbind_port = 2\ndirs = b").read(base);
  assert.equal(values.bind_port, 2);
  assert.deepEqual(values.dirs, ["a", "b"]);
});

test("config: a deprecated name is read, and the present one wins over it", () => {
  assert.equal(load("[DEFAULT]\nsql_connection = old").read(database).connection, "old");
  const both = load("[database]\nconnection = new", "[DEFAULT]\nsql_connection = old");
  assert.equal(both.read(database).connection, "new");
});

test("config: a bad value names file, section, option, the value and what is allowed", () => {
  assert.match(
    refusal("[DEFAULT]\n\nbind_port = 99999"),
    /\.conf, line 3: \[DEFAULT\] bind_port: "99999" is not allowed; allowed: an integer from 1 to 65535$/,
  );
  assert.match(refusal("[DEFAULT]\nbind_port = 8x"), /bind_port: "8x"/);
  assert.match(refusal("[DEFAULT]\nbind_port ="), /bind_port: ""/);
  assert.match(refusal("[DEFAULT]\ndebug = maybe"), /debug: "maybe".*true or false/);
  assert.match(refusal("[perennial]\nrelease = nova"), /release: "nova".*one of newton, ocata/);
  assert.match(refusal("[DEFAULT]\nstate_path = $nowhere"), /state_path: it refers to \$nowhere/);
  assert.match(refusal("[DEFAULT]\nstate_path = $lock_path"), /state_path: .*refers to itself/);
});

test("config: a file that is no INI file is refused with its line", () => {
  assert.match(refusal("[DEFAULT]\nnonsense"), /line 2: an option is written/);
  assert.match(refusal("bind_port = 1"), /line 1: an option stands before/);
  assert.match(refusal("[DEFAULT"), /line 1: a section is written/);
  assert.match(refusal("[DEFAULT]\n\n  x"), /line 3: a continuation line/);
  assert.match(refusal("[DEFAULT]\n= x"), /line 2: the name of the option is missing/);
});

test("config: a missing file is an error that names it", () => {
  const missing = join(folder, "missing.conf");
  assert.throws(
    () => loadConfig({ files: [missing], groups }),
    (error) => isServiceError(error, "config.invalid") && error.message.includes(missing),
  );
});

test("config: unknown options are collected, and those of [perennial] refused", () => {
  const config = load("[keystone_authtoken]\nauth_url = http://x\n[DEFAULT]\nfoo = 1");
  assert.deepEqual(
    config.unknown.map((line) => line.split(" ")[0]),
    ["keystone_authtoken.auth_url", "DEFAULT.foo"],
  );
  assert.match(refusal("[perennial]\nrelaese = ocata"), /\[perennial\] relaese: is not an option; known.*release/);
});

test("config: secrets appear neither in errors nor in the effective values", () => {
  const message = refusal("[database]\nconnection = mysql://u:pa$word@h/g");
  assert(!message.includes("word@"), message);
  assert(!refusal("[database]\nmysql//u pass").includes("pass"));
  const config = load("[database]\nconnection = mysql://u:secret@h/g");
  assert(!JSON.stringify(config.effective).includes("secret"));
  assert(config.effective.some((one) => one.option === "connection" && one.text === "****"));
});

test("config: files named on the command line are the only ones read, folders after files", () => {
  const directory = join(folder, "conf.d");
  mkdirSync(directory);
  for (const name of ["b.conf", "a.conf", "ignored.txt"]) writeFileSync(join(directory, name), "");
  const found = findConfigFiles("glance-api", ["/x.conf"], [directory]);
  assert.deepEqual(found, ["/x.conf", join(directory, "a.conf"), join(directory, "b.conf")]);
  assert.throws(() => findConfigFiles("glance-api", [], [join(folder, "none")]), /folder.*none/);
});
