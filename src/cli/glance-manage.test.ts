// The command as operators and scripts meet it: lines on stdout, exit codes, both spellings, and one line for whatever goes wrong.
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
import { fillNewton } from "../db/schema/testing/rows.ts";

const script = fileURLToPath(new URL("../../bin/glance-manage.js", import.meta.url));

type Finished = { readonly code: number | null; readonly out: string; readonly err: string };

async function command(...args: readonly string[]): Promise<Finished> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code: code as number | null, out, err };
}

/** A folder with a configuration for a SQLite database that does not exist yet. */
async function prepare(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "perennial-manage-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const url = `sqlite:///${join(folder, "glance.sqlite")}`;
  const config = join(folder, "glance-api.conf");
  await writeFile(config, `[database]\nconnection = ${url}\n[perennial]\nrelease = ocata\n`);
  return { folder, url, manage: (...args: readonly string[]) => command("--config-file", config, ...args) };
}

test("glance-manage: a whole upgrade says the reference's lines and ends with its exit codes", async (t) => {
  const { url, manage } = await prepare(t);
  const says = async (args: string, code: number, line: string) => {
    const finished = await manage(...args.split(" "));
    assert.deepEqual([finished.code, finished.out], [code, line === "" ? "" : `${line}\n`], `${args}: ${finished.err}`);
    return finished;
  };
  const none =
    'Database is either not under migration control or under legacy migration control, please run "glance-manage db sync" to place the database under alembic migration control.';
  await says("db version", 0, none);
  const due = (step: string, phase: string) =>
    `Your database is not up to date. Your ${step} step is to run \`glance-manage db ${phase}\`.`;
  await says("db check", 3, due("first", "expand"));
  await says("db_sync --to newton", 0, "Database is synced successfully.");
  const db = await openDatabase(url);
  await fillNewton(db, 30);
  await db.close();
  const early = await says("db migrate", 1, "");
  assert.match(early.err, /^Data migration did not run\. .*"glance-manage db expand"\n$/);
  assert.match((await says("db contract", 1, "")).err, /^Database contraction did not run\. .*db expand"\n$/);
  const upgraded = (to: string) => `Upgraded database to: ${to}, current revision(s): ${to}`;
  await says("db expand", 0, upgraded("ocata_expand01"));
  await says("db_expand", 0, "Database expansion is up to date. No expansion needed.");
  await says("db check", 4, due("next", "migrate"));
  assert.match((await says("db contract", 1, "")).err, /^Database contraction did not run\. .*db migrate"\.\n$/);
  const unsound = await manage("db", "verify");
  assert.equal(unsound.code, 1);
  assert.match(unsound.out, /WRONG +30 images without a visibility.*\n/);
  await says("db migrate", 0, "Migrated 30 rows");
  await says("db_migrate", 0, "Database migration is up to date. No migration needed.");
  await says("db check", 5, due("next", "contract"));
  await says("db contract", 0, upgraded("ocata_contract01"));
  await Promise.all([
    says("db check", 0, "Database is up to date. No upgrades needed."),
    says("db_version", 0, "ocata_contract01"),
    says("db migrate", 0, "Database is up to date. No migrations needed."),
  ]);
  await says("db sync 44", 0, "Database is up to date. No migrations needed.");
  await says("db_version_control mitaka02", 0, "Placed database under migration control at revision: mitaka02");
});

test("glance-manage: --json prints events and one result a line, and a dry run changes nothing", async (t) => {
  const { manage } = await prepare(t);
  await manage("db", "sync", "--to", "newton");
  const planned = await manage("db", "expand", "--dry-run", "--json");
  const plan = JSON.parse(planned.out) as { event: string; steps: { step: string; cost: string; applied: boolean }[] };
  assert.equal(plan.event, "result");
  assert(plan.steps.length >= 7 && plan.steps.every((step) => !step.applied));
  assert.equal((await manage("db", "check")).code, 3);
  const { out, err, code } = await manage("db", "expand", "--json");
  assert.deepEqual([code, err], [0, ""]);
  const lines = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const expanded = lines.filter((line) => line.phase === "expand");
  assert.deepEqual(
    expanded.map((line) => line.status),
    expanded.map((_, index) => (index % 2 === 0 ? "started" : "applied")),
  );
  assert.deepEqual(lines.at(-1), {
    event: "result",
    command: "expand",
    target: "ocata",
    outcome: "expanded",
    heads: ["ocata_expand01"],
  });
  const refused = await manage("db", "contract", "--json", "--to", "newton");
  assert.equal(refused.code, 0, "at Newton there is nothing to contract");
});

test("glance-manage: wrong command lines, files and databases end with one line and a code of their own", async (t) => {
  const { folder, url, manage } = await prepare(t);
  const one = async (finished: Promise<Finished>, code: number, line: RegExp) => {
    const { code: ended, err, out } = await finished;
    assert.equal(ended, code, err);
    assert.match(err, line);
    assert.equal(out, "");
    assert(!/\n\s+at /.test(err), "no stack trace");
  };
  await Promise.all([
    one(manage(), 2, /^Usage: glance-manage .*\nAvailable categories:\n\tdb\n/),
    one(
      manage("db"),
      2,
      /^Usage: glance-manage db .*\nAvailable actions for 'db':\n\tbackup\n\tcheck\n(\t.*\n)*\tversion_control\n/,
    ),
    one(manage("foo"), 2, /unknown command 'foo'/),
    one(manage("db", "foo"), 2, /unknown command 'foo'/),
    one(manage("db", "sync", "1", "2"), 2, /too many arguments/),
    one(manage("db", "migrate", "--max-rows", "many"), 2, /'many' is not a whole number of 1 or more/),
    one(manage("db", "expand", "--to", "essex"), 2, /Allowed choices are newton, ocata/),
  ]);
  const config = join(folder, "wrong.conf");
  const withConfig = async (lines: string, code: number, line: RegExp) => {
    await writeFile(config, lines);
    await one(command("--config-file", config, "db", "version"), code, line);
  };
  await withConfig("[database]\n", 78, /\[database\] connection/);
  await withConfig("[database]\nconnection = oracle://x\n", 78, /connection/);
  await withConfig(`[database]\nconnection = ${url}\n[perennial]\nrelease = essex\n`, 78, /wrong\.conf.*release/);
  await withConfig("[database]\nconnection = mysql://root@127.0.0.1:1/glance\n", 69, /127\.0\.0\.1:1/);
  await one(command("--config-file", join(folder, "none.conf"), "db", "version"), 78, /none\.conf/);
  await manage("db", "sync", "--to", "newton");
  const db = await openDatabase(url);
  const lock = await db.acquireLock("perennial-schema", 0);
  await one(manage("db", "expand"), 6, /lock perennial-schema/);
  await lock.release();
  await db.close();
  assert.equal((await manage("db", "check")).code, 3, "nothing was changed");
});
