// The disk under the database is full in the midst of each phase: one line that says so, nothing half done that the same command does not
// go on from, and in the end the same database. It lies on a small disk of its own; what servers keep beside it does not.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startMariadb } from "../../../test/servers/mariadb.ts";
import { cannotMount, mountSmallDisk, type SmallDisk } from "../../../test/servers/small-disk.ts";
import { errorText, isServiceError } from "../../core/errors.ts";
import { newestRelease, releaseOf } from "../../releases/catalogue.ts";
import { openDatabase } from "../connect.ts";
import type { Database } from "../database.ts";
import { testDialects, testPostgresql } from "../testing/databases.ts";
import { check } from "./check.ts";
import { contract } from "./contract.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { sync } from "./sync.ts";
import { fillNewton, migratedRows, visibilityById } from "./testing/rows.ts";

const newton = releaseOf("newton");
const rows = 3_000;

type Room = { fill(): Promise<void> | void; free(): Promise<void> | void };

/** Each phase meets a full disk first, and then goes on. Returns which of them failed on it. */
async function upgradeInLittleRoom(url: string, { fill, free }: Room): Promise<readonly string[]> {
  const db = await openDatabase(url);
  const failed: string[] = [];
  try {
    await sync({ db, target: newton });
    await fillNewton(db, rows);
    for (const phase of [expand, migrate, contract]) {
      await fill();
      const error = await failureOf(phase({ db, target: newestRelease }));
      if (error !== null) failed.push(phase.name);
      await free();
      await phase({ db, target: newestRelease });
    }
    await assertFinished(db);
  } finally {
    await db.close();
  }
  return failed;
}

/** null where the phase found the room it needed. */
async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return null;
  } catch (error) {
    // Where a pre-flight can know it, it says it before anything is touched.
    assert(isServiceError(error, "db.full", "schema.preflight_failed"), errorText(error));
    assert.doesNotMatch(error.message, /\n/);
    assert.match(error.message, /no room left|MB free/);
    return error;
  }
}

async function assertFinished(db: Database): Promise<void> {
  assert.equal((await check(db, newestRelease)).due, "nothing");
  assert.deepEqual(await visibilityById(db), migratedRows(rows));
}

async function small(t: TestContext, sizeMb: number, options?: Parameters<typeof mountSmallDisk>[1]) {
  const disk = await mountSmallDisk(sizeMb, options);
  if (disk === null) t.skip(cannotMount);
  else t.after(() => disk.remove());
  return disk;
}

/** MariaDB keeps the tables of a database in a folder of their own, where the server does not miss its one file. */
async function folderOf(url: string): Promise<string> {
  const db = await openDatabase(url);
  try {
    const [row] = await db.query<{ path: string }>("SELECT CONCAT(@@datadir, DATABASE()) AS path");
    return String(row?.path);
  } finally {
    await db.close();
  }
}

if (testDialects.includes("sqlite"))
  test("disk full: every phase says so in one line and goes on when there is room (sqlite)", async (t) => {
    const disk = await small(t, 24);
    if (!disk) return;
    const failed = await upgradeInLittleRoom(`sqlite:///${join(disk.path, "glance.sqlite")}`, disk);
    assert.deepEqual(failed, ["expand", "migrate", "contract"]);
  });

if (testDialects.includes("mysql"))
  test("disk full: every phase says so in one line and goes on when there is room (mysql)", async (t) => {
    const server = await startMariadb({ shared: false });
    let disk: SmallDisk | null = null;
    try {
      const url = await server.createDatabase();
      disk = await mountSmallDisk(24, { at: await folderOf(url) });
      if (!disk) return t.skip(cannotMount);
      const failed = await upgradeInLittleRoom(url, disk);
      assert(failed.length > 0);
      t.diagnostic(`full in ${failed.join(", ")}`);
    } finally {
      // Before the server, which takes its folder along.
      await disk?.remove();
      await server.stop();
    }
  });

if (testDialects.includes("postgresql"))
  test("disk full: every phase says so in one line and goes on when there is room (postgresql)", async (t) => {
    const disk = await small(t, 48, { owner: "postgres" });
    if (!disk) return;
    const server = await testPostgresql();
    const url = await server.createDatabase();
    const admin = await openDatabase(server.url("postgres"));
    const [name, space] = [new URL(url).pathname.slice(1), `space_${process.pid}`];
    try {
      await admin.session(async (session) => {
        await session.run(`CREATE TABLESPACE ${space} LOCATION '${disk.path}'`);
        await session.run(`ALTER DATABASE ${name} SET TABLESPACE ${space}`);
      });
      const failed = await upgradeInLittleRoom(url, disk);
      assert(failed.length > 0);
      t.diagnostic(`full in ${failed.join(", ")}`);
    } finally {
      await admin.session(async (session) => {
        await session.run(`DROP DATABASE ${name} WITH (FORCE)`);
        await session.run(`DROP TABLESPACE ${space}`);
      });
      await admin.close();
    }
  });
