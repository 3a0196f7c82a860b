// A server or file that takes no changes, as a replica or a primary that was locked: every phase says so in one line before anything is
// tried, and goes on where changes are taken again.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { startMariadb } from "../../../test/servers/mariadb.ts";
import { cannotMount, mountSmallDisk } from "../../../test/servers/small-disk.ts";
import { type ErrorCode, errorText, isServiceError } from "../../core/errors.ts";
import { releaseOf } from "../../releases/catalogue.ts";
import { openDatabase } from "../connect.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { check } from "./check.ts";
import { contract } from "./contract.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { sync } from "./sync.ts";
import { fillNewton, migratedRows, visibilityById } from "./testing/rows.ts";

const ocata = releaseOf("ocata");
const newton = releaseOf("newton");
const rows = 20;

/** `url` is of the user whose changes `lock` refuses. */
async function upgradeThroughLocks(
  url: string,
  { lock, unlock }: { lock(): Promise<void> | void; unlock(): Promise<void> | void },
  refusal: { code: readonly ErrorCode[]; line: RegExp },
): Promise<void> {
  for (const phase of [expand, migrate, contract]) {
    await lock();
    try {
      await assert.rejects(inDatabase(url, phase), (error) => {
        assert(isServiceError(error, ...refusal.code), `${phase.name}: ${errorText(error)}`);
        assert.match(error.message, refusal.line);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    } finally {
      await unlock();
    }
    await inDatabase(url, phase);
  }
  const db = await openDatabase(url);
  try {
    assert.equal((await check(db, ocata)).due, "nothing");
    assert.deepEqual(await visibilityById(db), migratedRows(rows));
  } finally {
    await db.close();
  }
}

/** As a process of its own opens it. */
async function inDatabase(url: string, phase: typeof expand | typeof migrate | typeof contract): Promise<void> {
  const db = await openDatabase(url);
  try {
    await phase({ db, target: ocata });
  } finally {
    await db.close();
  }
}

async function prepare(url: string): Promise<void> {
  const db = await openDatabase(url);
  try {
    await sync({ db, target: newton });
    await fillNewton(db, rows);
  } finally {
    await db.close();
  }
}

const preflight = (line: RegExp) => ({ code: ["schema.preflight_failed"], line }) as const;

if (testDialects.includes("sqlite"))
  test("read-only: each phase says so, and goes on when changes are taken again (sqlite)", async (t) => {
    const disk = await mountSmallDisk(16);
    if (!disk) return t.skip(cannotMount);
    t.after(() => disk.remove());
    const url = `sqlite:///${join(disk.path, "glance.sqlite")}`;
    await prepare(url);
    await upgradeThroughLocks(
      url,
      { lock: () => disk.setReadOnly(true), unlock: () => disk.setReadOnly(false) },
      { code: ["db.access_denied", "db.unreachable"], line: /cannot be (written|opened).*(readonly|unable to open)/ },
    );
  });

if (testDialects.includes("mysql"))
  test("read-only: each phase says so, and goes on when changes are taken again (mysql)", async () => {
    const server = await startMariadb({ shared: false });
    try {
      const rootUrl = await server.createDatabase("glance");
      await prepare(rootUrl);
      const root = await openDatabase(rootUrl);
      try {
        await root.run("CREATE USER glance@'%'");
        await root.run("GRANT ALL PRIVILEGES ON glance.* TO glance@'%'");
        const set = (value: 0 | 1) => async () => void (await root.run(`SET GLOBAL read_only = ${value}`));
        const url = rootUrl.replace("//root@", "//glance@");
        await upgradeThroughLocks(url, { lock: set(1), unlock: set(0) }, preflight(/the server is read-only/));
      } finally {
        await root.close();
      }
    } finally {
      await server.stop();
    }
  });

if (testDialects.includes("postgresql"))
  test("read-only: each phase says so, and goes on when changes are taken again (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db, url }) => {
      await fillNewton(db, rows);
      const set = (value: "on" | "off") => async () =>
        void (await db.run(
          `ALTER DATABASE ${new URL(url).pathname.slice(1)} SET default_transaction_read_only = ${value}`,
        ));
      await upgradeThroughLocks(url, { lock: set("on"), unlock: set("off") }, preflight(/transactions are read-only/));
    }));
