// What an operator reads before and beside an upgrade: the plan, what a revert would take away, and the hand on a data migration.
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
import { fillNewton, idOf } from "../db/schema/testing/rows.ts";
import type { UpgradePlan } from "../db/schema/upgrade-plan.ts";

const script = fileURLToPath(new URL("../../bin/glance-manage.js", import.meta.url));

async function prepare(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "perennial-plan-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const url = `sqlite:///${join(folder, "glance.sqlite")}`;
  const config = join(folder, "glance-api.conf");
  await writeFile(config, `[database]\nconnection = ${url}\n[perennial]\nrelease = 2026.1\n`);
  const manage = async (line: string) => {
    const child = spawn(process.execPath, [script, "--config-file", config, ...line.split(" ")], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    return { code: code as number | null, out, err };
  };
  const synced = await manage("db sync --to newton");
  assert.equal(synced.code, 0, synced.err);
  const db = await openDatabase(url);
  t.after(() => db.close());
  await fillNewton(db, 30);
  return { db, manage };
}

test("db plan: every step with its price, what is missing, and what contract waits for", async (t) => {
  const { db, manage } = await prepare(t);
  const json = await manage("db plan --json");
  assert.equal(json.code, 0, json.err);
  const plan = JSON.parse(json.out) as UpgradePlan;
  assert.deepEqual([plan.due, plan.contracted, plan.canGoOn], ["expand", "newton", true]);
  const step = (name: string) => plan.steps.find((one) => one.step === name);
  const index = step("add index visibility_image_idx on images");
  assert.deepEqual([index?.cost, index?.applied, index?.tableRows], ["index_build", false, 30]);
  assert.deepEqual(index?.seconds, { min: 0, max: 1 });
  assert.deepEqual(step("add column images.visibility")?.cost, "instant");
  assert.equal(plan.contractBlockers.length, plan.steps.filter((one) => one.phase === "migrate").length);

  const people = await manage("db plan");
  assert.match(people.out, /^From newton to 2026\.1; next: glance-manage db expand\n\nPHASE +RELEASE +STEP/);
  assert.match(
    people.out,
    /\nexpand +ocata +add index visibility_image_idx on images +~30 +up to 1 s +builds an index, writers go on\n/,
  );
  assert.match(people.out, /\nexpand: privileges and settings are sufficient\n/);
  assert.match(people.out, /\ncontract waits: data is pending: ocata: derive images\.visibility from is_public/);

  assert.equal((await manage("db expand")).code, 0);
  assert.match(
    (await manage("db plan")).out,
    /\nmigrate +ocata +ocata: derive images\.visibility from is_public +30 +up to 1 s +batches\n/,
  );
  assert.equal((await manage("db migrate")).code, 0);
  const now = db.dialect.nowSql;
  await db.run(
    `INSERT INTO perennial_nodes (name, address, release_id, package_version, pid, state, started_at, heartbeat_at)
     VALUES ('old', '10.0.0.9:9292', 'newton', '1', 1, 'serving', ${now}, ${now})`,
  );
  const blocked = await manage("db plan");
  assert.equal(blocked.code, 1);
  assert.match(blocked.out, /\ncontract waits: node old runs as newton \(serving, seen \d+ s ago\)\n/);
  await db.run("DELETE FROM perennial_nodes");
  assert.equal((await manage("db contract")).code, 0);
  const done = await manage("db plan");
  assert.deepEqual([done.code, done.out], [0, "Nothing to do: the database is finished for 2026.1.\n"]);
});

test("db revert: what users would lose is said first, and taken only by the operator's word", async (t) => {
  const { db, manage } = await prepare(t);
  assert.equal((await manage("db expand --to ocata")).code, 0);
  assert.equal((await manage("db migrate --to ocata")).code, 0);
  await db.run("UPDATE images SET visibility = 'community' WHERE id = ?", [idOf(1)]);
  const refused = await manage("db revert --to newton");
  assert.equal(refused.code, 1);
  assert.match(refused.err, /^nothing was changed: newton cannot express 1 community images.*--accept-losses\n$/);
  assert.equal((await manage("db check --to ocata")).code, 5);
  const taken = await manage("db revert --to newton --accept-losses --json");
  assert.equal(taken.code, 0, taken.err);
  const { outcome, losses } = JSON.parse(taken.out.trim().split("\n").at(-1) ?? "");
  assert.deepEqual([outcome, losses.map((one: { rows: number }) => one.rows)], ["reverted", [1]]);
  assert.equal((await manage("db check --to newton")).code, 0);
  assert.equal((await manage("db revert")).code, 2);
  assert.equal((await manage("db revert --to mitaka")).code, 2);
});

test("db migrate: paused, changed and resumed from another terminal", async (t) => {
  const { manage } = await prepare(t);
  assert.equal((await manage("db expand")).code, 0);
  const paused = await manage("db migrate --pause --set target-ms=20,max-p99-ms=300");
  assert.equal(paused.code, 0, paused.err);
  assert.match(
    paused.out,
    /^Data migration is paused: .*--resume`\.\nLimits changed .*: target-ms=20, max-p99-ms=300\n$/,
  );
  const waited = await manage("db migrate --max-seconds 1");
  assert.equal(waited.code, 0);
  assert.match(waited.err, /paused; `glance-manage db migrate --resume` lets it go on/);
  assert.match(waited.err, /rows are left: run `glance-manage db migrate` again\n$/);
  assert.equal((await manage("db check")).code, 4);
  assert.equal((await manage("db migrate --pause --resume")).code, 2);
  const wrong = await manage("db migrate --set max-rows=5");
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /'max-rows' cannot be changed; these can: max-batch-rows, target-ms/);
  assert.match((await manage("db migrate --resume")).out, /^Data migration is not paused\.\n$/);
  assert.match((await manage("db migrate")).out, /^Migrated \d+ rows\n$/);
  assert.equal((await manage("db check")).code, 5);
  const lonely = await manage("db migrate --replica sqlite:////tmp/nowhere.sqlite");
  assert.equal(lonely.code, 78);
  assert.match(lonely.err, /^--replica .*does not replicate/);
});
