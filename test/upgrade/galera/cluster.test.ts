// A fleet on a Galera cluster of three goes from Newton to the newest release under traffic through two of the cluster's nodes. The third,
// by which the rollout works, is killed with -9 in the midst of migrate; the rollout is sent to another one and goes on. `npm test` has a
// sample of it, without nodes and rollout.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openDatabase } from "../../../src/db/connect.ts";
import type { Database } from "../../../src/db/database.ts";
import { defaultRetryPolicy } from "../../../src/db/retry.ts";
import { contract } from "../../../src/db/schema/contract.ts";
import { expand } from "../../../src/db/schema/expand.ts";
import { migrate } from "../../../src/db/schema/migrate.ts";
import { sync } from "../../../src/db/schema/sync.ts";
import { fillNewton, migratedRows, visibilityById } from "../../../src/db/schema/testing/rows.ts";
import { newestRelease, releaseOf } from "../../../src/releases/catalogue.ts";
import { eventually } from "../../servers/eventually.ts";
import { type GaleraCluster, startGalera } from "../../servers/galera.ts";
import { migrationProgress } from "../kill/schema-fingerprint.ts";
import { TravellingFleet } from "../pairs/travelling-fleet.ts";
import { isFull } from "../scope.ts";

const name = "glance";
/** Enough for a migration of several batches. */
const images = 20_000;
const newest = newestRelease.id;

// The sample of npm test: the engine alone, with one writer beside it, on few rows.
if (!isFull)
  test("a Galera cluster: expand, migrate and contract, one of its nodes killed in the midst of migrate", {
    timeout: 900_000,
  }, async () => {
    const cluster = await startGalera(3);
    try {
      await cluster.createDatabase(name);
      await upgradeByEngine(cluster);
    } finally {
      await cluster.stop();
    }
  });

if (isFull)
  test("a Galera cluster: Newton to the newest under traffic, one of its nodes killed in the midst of migrate", {
    timeout: 900_000,
  }, async (t) => {
    const cluster = await startGalera(3);
    try {
      await cluster.createDatabase(name);
      const connections = cluster.nodes.map((node) => node.url(name));
      const { requests } = await TravellingFleet.run(
        { database: "mariadb", connections, from: "newton", seed: 71 },
        (travelling) => upgrade(travelling, cluster, t),
      );
      t.diagnostic(`${requests} requests, none failed`);
    } finally {
      await cluster.stop();
    }
  });

async function upgrade(travelling: TravellingFleet, { nodes }: GaleraCluster, t: TestContext): Promise<void> {
  const [first, , third] = nodes;
  assert(first && third);
  const db = await openDatabase(first.url(name), { poolSizeMax: 2 });
  try {
    await db.run(
      `INSERT INTO images (id, status, is_public, owner, created_at, deleted, min_disk, min_ram, protected)
       SELECT CONCAT('many-', LPAD(seq, 31, '0')), 'queued', 0, 'many', '2016-10-01 00:00:00', 0, 0, 0, 0 FROM seq_1_to_${images}`,
    );
    let killed: Promise<void> | undefined;
    const killInMigrate = async () => {
      const before = await migrationProgress(db);
      await eventually("a batch is migrated", async () => (await migrationProgress(db)) !== before, { everyMs: 1 });
      await third.crash();
    };
    await travelling.rollTo(newest, {
      onEvent(event) {
        if (event.kind === "decision" && event.data?.do === "migrate") killed ??= killInMigrate();
        killed?.catch(() => undefined);
      },
      async repair(said) {
        t.diagnostic(`the rollout ended: ${said.trim()}`);
        assert(killed, `the rollout ended before its database was killed: ${said}`);
        await travelling.fleet.aim(newest, first.url(name));
      },
    });
    await (killed ?? assert.fail("nothing was migrated"));
    const [left] = await db.query<{ n: number }>(
      "SELECT COUNT(*) AS n FROM images WHERE owner = 'many' AND visibility = 'private'",
    );
    assert.equal(Number(left?.n), images);
  } finally {
    await db.close();
  }
}

const few = 600;
const batches = { batchRows: 50, batchRowsMax: 50 };
const ocata = releaseOf("ocata");

/** The engine works by the third node, and by the first one when that is gone; somebody writes by the second all the time. */
async function upgradeByEngine({ nodes }: GaleraCluster): Promise<void> {
  const [first, second, third] = nodes;
  assert(first && second && third);
  // A node that is gone does not come back here, so nobody needs to wait for it.
  const impatient = { ...defaultRetryPolicy, totalMsMax: 1_000 };
  const doomed = await openDatabase(third.url(name), { retry: impatient });
  const kept = await openDatabase(first.url(name));
  const writer = await openDatabase(second.url(name));
  try {
    await sync({ db: doomed, target: releaseOf("newton") });
    await fillNewton(doomed, few);
    await expand({ db: doomed, target: ocata });
    let writing = true;
    const written = writeUntil(writer, () => writing);
    const migrating = migrate({ db: endingAfterBatch(doomed, () => third.crash()), target: ocata, backfill: batches });
    await assert.rejects(migrating, { code: "db.unreachable", message: /run the same command again/ });
    assert.equal((await migrate({ db: kept, target: ocata, backfill: batches })).complete, true);
    writing = false;
    const count = await written;
    assert.equal((await contract({ db: kept, target: ocata })).outcome, "contracted");
    const found = await visibilityById(kept);
    const expected = migratedRows(few);
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((id) => [id, found[id]])), expected);
    assert.equal(Object.values(found).filter((visibility) => visibility === null).length, 0);
    assert.equal(Object.keys(found).length, few + count);
  } finally {
    await Promise.all([doomed.close(), kept.close(), writer.close()]);
  }
}

/** The database, of which nothing is left once the first batch is committed. */
function endingAfterBatch(db: Database, end: () => Promise<void>): Database {
  return new Proxy(db, {
    get(target, property) {
      const value = Reflect.get(target, property);
      if (property !== "transaction") return typeof value === "function" ? value.bind(target) : value;
      return async <T>(work: Parameters<Database["transaction"]>[0]) => {
        const result = (await target.transaction(work)) as T;
        await end();
        return result;
      };
    },
  });
}

/** Images one after the other, as a Newton node writes them. Returns how many. */
async function writeUntil(db: Database, goesOn: () => boolean): Promise<number> {
  let count = 0;
  for (; goesOn(); count++)
    await db.run(
      `INSERT INTO images (id, status, is_public, created_at, deleted, min_disk, min_ram, protected)
       VALUES (?, 'queued', 1, '2016-10-01 00:00:00', 0, 0, 0, 0)`,
      [`written-${String(count).padStart(28, "0")}`],
    );
  return count;
}
