// Metadata definitions beside the real glance-manage of Debian's package: the same files, loaded in the same ways, leave the same rows,
// and it reads what we export.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { openDatabase } from "../../src/db/connect.ts";
import type { Database, Row } from "../../src/db/database.ts";
import { exportMetadefs } from "../../src/db/metadefs/export.ts";
import { loadMetadefs } from "../../src/db/metadefs/load.ts";
import { sync } from "../../src/db/schema/sync.ts";
import { releaseOf } from "../../src/releases/catalogue.ts";

const run = promisify(execFile);
const reference = await run("glance-manage", ["--version"]).then(
  () => true,
  () => false,
);
const skip = reference ? false : "this machine has no glance-manage (Debian package glance-common)";

const first = {
  namespace: "Test::Cars",
  display_name: "Cars & Vans_1",
  visibility: "public",
  protected: true,
  owner: "garage",
  resource_type_associations: [{ name: "Test::Road", prefix: "car_" }],
  properties: { wheels: { title: "Räder", type: "integer", default: 4 }, doors: { type: "string", enum: ["a", "b"] } },
  objects: [{ name: "engine", description: "d", properties: { fuel: { type: "string" } } }],
  tags: [{ name: "fast" }],
};
const second = {
  namespace: "Test::Cars",
  display_name: "Newer",
  resource_type_associations: [{ name: "Test::Road", prefix: "new_" }, { name: "Test::Track" }],
  properties: { wheels: { title: "Wheels" }, seats: { type: "integer" } },
  objects: [
    { name: "engine", properties: {} },
    { name: "radio", properties: {} },
  ],
  tags: [{ name: "slow" }],
};

/** All rows but their ids and times; a time that was set is told from one that was not. */
async function rows(db: Database): Promise<readonly Row[]> {
  const sorted = {
    namespaces: "namespace",
    resource_types: "name",
    namespace_resource_types: "resource_type_id",
    properties: "name",
    objects: "name",
    tags: "name",
  };
  const found: Row[] = [];
  for (const [part, by] of Object.entries(sorted))
    found.push(...(await db.query(`SELECT * FROM metadef_${part} ORDER BY ${by}`)));
  return found.map(({ id, namespace_id, created_at, updated_at, ...row }) => ({
    ...row,
    updated: updated_at !== null,
  }));
}

test("reference: the same files leave the same rows, and it reads what we export", { skip }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-metadefs-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const open = async (name: string) => {
    const db = await openDatabase(`sqlite:///${join(folder, name)}`);
    t.after(() => db.close());
    await sync({ db, target: releaseOf("zed") });
    return db;
  };
  const [mine, its] = [await open("mine.sqlite"), await open("its.sqlite")];
  const config = join(folder, "its.conf");
  await writeFile(
    config,
    `[DEFAULT]\nlog_file = ${folder}/log\n[database]\nconnection = sqlite:///${folder}/its.sqlite\n`,
  );
  const theirs = (...args: readonly string[]) =>
    run("glance-manage", ["--config-file", config, "db", "load_metadefs", ...args]);
  const write = async (name: string, content: unknown) => {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "a.json"), JSON.stringify(content));
    return join(folder, name);
  };
  const [one, two] = [await write("one", first), await write("two", second)];

  await theirs("--path", one);
  await loadMetadefs({ db: mine, path: one, mode: "skip" });
  assert.deepEqual(await rows(mine), await rows(its));

  await theirs("--path", two, "--merge", "--prefer_new");
  await loadMetadefs({ db: mine, path: two, mode: "prefer_new" });
  const merged = await rows(mine);
  assert.deepEqual(merged, await rows(its));

  await exportMetadefs(mine, join(folder, "exported"));
  await theirs("--path", join(folder, "exported"), "--merge", "--overwrite");
  // Rows are new, but for resource types.
  const asNew = (all: readonly Row[]) => all.map(({ updated, ...row }) => row);
  assert.deepEqual(asNew(await rows(its)), asNew(merged));
});
