// `glance-status upgrade check` as operators' scripts meet it: a table or one JSON object, and an exit code that says the worst.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openDatabase } from "../db/connect.ts";
import { expand } from "../db/schema/expand.ts";
import { migrate } from "../db/schema/migrate.ts";
import { sync } from "../db/schema/sync.ts";
import { fillNewton } from "../db/schema/testing/rows.ts";
import { releaseOf } from "../releases/catalogue.ts";

const script = fileURLToPath(new URL("../../bin/glance-status.js", import.meta.url));

async function command(...args: readonly string[]) {
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code: code as number | null, out, err };
}

/** A configuration with these lines, for a SQLite database beside it. */
async function prepare(t: TestContext, lines = "") {
  const folder = await mkdtemp(join(tmpdir(), "perennial-status-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const url = `sqlite:///${join(folder, "glance.sqlite")}`;
  const config = join(folder, "glance-api.conf");
  await writeFile(config, `${lines}\n[database]\nconnection = ${url}\n[perennial]\nrelease = ocata\n`);
  const json = async () => {
    const { code, out, err } = await command("--config-file", config, "upgrade", "check", "--json");
    assert.equal(err, "");
    const { name, checks } = JSON.parse(out) as {
      name: string;
      checks: { check: string; result: number; details: string | null }[];
    };
    assert.equal(name, "Upgrade Check Results");
    return { code, of: (check: string) => checks.find((one) => one.check === check), checks };
  };
  return { folder, url, config, json };
}

test("glance-status: on the way of an upgrade it says what is missing, what is still to come, and that all is well", async (t) => {
  const { url, config, json } = await prepare(t);
  const target = releaseOf("ocata");
  const db = await openDatabase(url);
  t.after(() => db.close());
  const finds = async (code: number, check: string, details: RegExp) => {
    const found = await json();
    assert.equal(found.code, code);
    assert.match(found.of(check)?.details ?? "", details);
    assert.equal(found.of(check)?.result, code);
  };
  await finds(2, "Database Schema", /run `glance-manage db sync`/);
  await sync({ db, target: releaseOf("newton") });
  await fillNewton(db, 10);
  await finds(2, "Database Schema", /run `glance-manage db expand`/);
  await expand({ db, target });
  await finds(2, "Data Migrations", /run `glance-manage db migrate`/);
  await migrate({ db, target });
  await finds(1, "Database Schema", /glance-manage db contract/);
  await sync({ db, target });
  const { code, checks } = await json();
  assert.equal(code, 0);
  assert.deepEqual(
    checks.filter((one) => one.result !== 0 || one.details !== null),
    [],
  );
  const { out } = await command("--config-file", config, "upgrade", "check");
  assert.match(
    out,
    /^\+-+\+\n\| Upgrade Check Results +\|\n\+-+\+\n\| Check: Sheepdog Driver Removal +\|\n\| Result: Success +\|\n\| Details: None +\|\n/,
  );
  assert.equal(
    new Set(
      out
        .trim()
        .split("\n")
        .map((line) => line.length),
    ).size,
    1,
    "lines of one length",
  );
});

test("glance-status: what newer releases do not take is a failure, an option nobody knows is a warning", async (t) => {
  const retired = await prepare(
    t,
    "[DEFAULT]\nowner_is_tenant = False\n[glance_store]\nstores = file,sheepdog\n[oslo_policy]\npolicy_file = old.json",
  );
  await writeFile(join(retired.folder, "old.json"), '{"default": ""}');
  const found = await retired.json();
  assert.equal(found.code, 2);
  for (const name of [
    "Sheepdog Driver Removal",
    "Policy File JSON to YAML Migration",
    "Config option owner_is_tenant removal",
  ])
    assert.equal(found.of(name)?.result, 2, name);
  const unknown = await prepare(t, "[DEFAULT]\nno_such_option = 1\n[oslo_policy]\npolicy_file = new.yaml");
  await writeFile(join(unknown.folder, "new.yaml"), '"default": ""\nother: "!"\n');
  const warned = await unknown.json();
  assert.equal(warned.of("Configuration")?.result, 1);
  assert.match(warned.of("Configuration")?.details ?? "", /DEFAULT\.no_such_option/);
  assert.equal(warned.of("Policy File JSON to YAML Migration")?.result, 0);
});

test("glance-status: files and databases that are not there are failures, and command lines that are wrong end with 2", async (t) => {
  const { folder } = await prepare(t);
  const none = await command("--config-file", join(folder, "none.conf"), "upgrade", "check");
  assert.equal(none.code, 2);
  assert.match(none.out, /Check: Configuration +\|\n\| Result: Failure/);
  const config = join(folder, "far.conf");
  await writeFile(config, "[database]\nconnection = mysql://root@127.0.0.1:1/glance\n");
  const far = await command("--config-file", config, "upgrade", "check");
  assert.equal(far.code, 2);
  assert.match(far.out, /Check: Database Connection +\|\n\| Result: Failure/);
  for (const args of [
    [],
    ["upgrade"],
    ["foo"],
    ["upgrade", "foo"],
    ["--config-dir", join(folder, "none"), "upgrade", "check"],
  ])
    assert.equal((await command(...args)).code, 2, args.join(" "));
  assert.match((await command("--version")).out, /^glance-status \(perennial\) \d/);
});
