// Purge, metadata definitions, upgrade to a revision and version_control as operators and scripts meet them: both spellings, lines, exit codes.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openDatabase } from "../db/connect.ts";
import { sync } from "../db/schema/sync.ts";
import { addMember, fillNewton, idOf } from "../db/schema/testing/rows.ts";
import { releaseOf } from "../releases/catalogue.ts";

const script = fileURLToPath(new URL("../../bin/glance-manage.js", import.meta.url));

/** A Newton database with its configuration, and the command on it. */
async function prepare(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "perennial-manage-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const url = `sqlite:///${join(folder, "glance.sqlite")}`;
  const config = join(folder, "glance-api.conf");
  await writeFile(config, `[DEFAULT]\nmetadata_source_path = ${folder}/metadefs\n[database]\nconnection = ${url}\n`);
  const db = await openDatabase(url);
  t.after(() => db.close());
  await sync({ db, target: releaseOf("newton") });
  const manage = async (...args: readonly string[]) => {
    const child = spawn(process.execPath, [script, "--config-file", config, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    return { code: code as number | null, out, err };
  };
  return { folder, db, manage };
}

test("glance-manage purge: wrong arguments end as the reference's do, 2 for what is no number and 1 for what is none that can be", async (t) => {
  const { manage } = await prepare(t);
  const ends = async (args: string, code: number, line: RegExp) => {
    const finished = await manage(...args.split(" "));
    assert.deepEqual([finished.code, finished.out], [code, ""], args);
    assert.match(finished.err, line, args);
  };
  await Promise.all([
    ends("db purge --age_in_days x", 2, /'x' is not a whole number/),
    ends("db purge --age_in_days -1", 1, /an age is 0 or more/),
    ends("db purge_images_table --age-in-days 99999", 1, /before 1970/),
  ]);
  await Promise.all([
    ends("db purge --max-rows 1.5", 2, /'1\.5' is not a whole number/),
    ends("db purge --max_rows -2", 1, /-1 for all/),
    ends("db purge_images_table --max_rows 2147483648", 1, /not more than 2147483647/),
  ]);
});

test("glance-manage purge: images wait for their children, and say so; both spellings, lines and JSON", async (t) => {
  const { db, manage } = await prepare(t);
  await fillNewton(db, 12);
  await addMember(db, idOf(0), false);
  await db.run("UPDATE images SET deleted_at = '2016-10-01 00:00:00.000000' WHERE deleted = TRUE");
  await db.run("UPDATE image_members SET deleted_at = '2016-10-01 00:00:00.000000' WHERE deleted = TRUE");
  const early = await manage("db", "purge_images_table", "--max_rows", "-1");
  assert.deepEqual([early.code, early.out], [1, "Purged 1 row from images\n"]);
  assert.match(early.err, /image_members names 1 of them by 1 deleted rows: run `glance-manage db purge` first/);
  const purged = await manage("db_purge", "30", "-1");
  assert.equal(purged.code, 0, purged.err);
  assert.match(purged.out, /^Purged 0 rows from image_properties\n(?:.*\n)*Purged [1-9]\d* rows? from image_members\n/);
  const rest = await manage("db", "purge_images_table", "--json");
  assert.deepEqual([rest.code, rest.err], [0, ""]);
  const result = JSON.parse(rest.out.trim().split("\n").at(-1) ?? "");
  assert.deepEqual(result, {
    event: "result",
    command: "purge_images_table",
    ageDays: 180,
    rows: 1,
    kept: 0,
    blocked: [],
  });
});

test("glance-manage metadefs: load, export and unload by options and by position, with 1 for what the reference lets pass", async (t) => {
  const { folder, manage } = await prepare(t);
  const file = join(folder, "one.json");
  await writeFile(file, JSON.stringify({ namespace: "One", display_name: "The One", tags: [{ name: "t" }] }));
  const nowhere = await manage("db", "load_metadefs");
  assert.deepEqual([nowhere.code, nowhere.out], [1, ""]);
  assert.match(nowhere.err, /metadefs: ENOENT/);
  const counts = (added: number, merged: number, skipped: number, failed: number) =>
    `Namespaces of ${file}: ${added} added, ${merged} merged, 0 replaced, ${skipped} skipped, ${failed} failed\n`;
  const loaded = await manage("db", "load_metadefs", "--path", file);
  assert.deepEqual([loaded.code, loaded.out, loaded.err], [0, counts(1, 0, 0, 0), ""]);
  assert.equal((await manage("db_load_metadefs", file)).out, counts(0, 0, 1, 0));
  assert.equal((await manage("db_load_metadefs", file, "True")).out, counts(0, 1, 0, 0));
  assert.equal(
    (await manage("db", "load_metadefs", "--path", file, "--merge", "--prefer-new")).out,
    counts(0, 1, 0, 0),
  );
  for (const flags of [["--overwrite"], ["--prefer_new"], ["--merge", "--prefer_new", "--overwrite"]]) {
    const mixed = await manage("db", "load_metadefs", "--path", file, ...flags);
    assert.deepEqual([mixed.code, mixed.out], [1, ""], flags.join(" "));
  }
  const exported = await manage("db", "export_metadefs");
  assert.deepEqual([exported.code, exported.out], [0, `Wrote 1 namespaces to ${folder}/metadefs\n`]);
  assert.deepEqual(await readdir(join(folder, "metadefs")), ["TheOne.json"]);
  assert.equal((await manage("db_unload_metadefs")).out, "Removed 1 namespaces\n");
  await writeFile(file, "{");
  const broken = await manage("db", "load_metadefs", "--path", file);
  assert.deepEqual([broken.code, broken.out], [1, counts(0, 0, 0, 1)]);
  assert.match(broken.err, /one\.json: not JSON/);
});

test("glance-manage upgrade and version_control: to a revision and no further, back only with a warning, and unknown ones are shown", async (t) => {
  const { db, manage } = await prepare(t);
  const says = async (args: string, code: number, out: string, err: RegExp) => {
    const finished = await manage(...args.split(" "));
    assert.deepEqual([finished.code, finished.out], [code, out], `${args}: ${finished.err}`);
    assert.match(finished.err, err, args);
  };
  const upgraded = (to: string, heads: string) => `Upgraded database to: ${to}, current revision(s): ${heads}\n`;
  await says("db_upgrade queens_contract01", 0, upgraded("queens_contract01", "queens_contract01"), /done in/);
  await says(
    "db upgrade --version rocky_expand01",
    0,
    upgraded("rocky_expand01", "queens_contract01, rocky_expand01"),
    /done in/,
  );
  await says("db upgrade --version rocky_contract01", 0, upgraded("rocky_contract01", "rocky_contract01"), /^/);
  await says("db upgrade --version ocata_contract01", 0, upgraded("ocata_contract01", "rocky_contract01"), /^$/);
  await says("db upgrade --version essex", 1, "", /no such revision: essex/);
  const placed = (at: string) => `Placed database under migration control at revision: ${at}\n`;
  await says(
    "db_version_control queens_contract01",
    0,
    placed("queens_contract01"),
    /WARNING: .*NEWER.*version_control --version rocky_contract01/,
  );
  await says(
    "db version_control --version rocky_contract01",
    0,
    placed("rocky_contract01"),
    /^warning: the database was at queens/m,
  );
  await db.run("UPDATE alembic_version SET version_num = '2030_1_contract01'");
  await says("db version", 0, "2030_1_contract01\n", /^$/);
  await says("db check", 1, "", /2030_1_contract01, which this version does not know/);
});
