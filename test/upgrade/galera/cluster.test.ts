// A fleet on a Galera cluster of three goes from Newton to the newest release under traffic through two of the cluster's nodes. The third,
// by which the rollout works, is killed with -9 in the midst of migrate; the rollout is sent to another one and goes on.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openDatabase } from "../../../src/db/connect.ts";
import { newestRelease } from "../../../src/releases/catalogue.ts";
import { eventually } from "../../servers/eventually.ts";
import { type GaleraCluster, startGalera } from "../../servers/galera.ts";
import { migrationProgress } from "../kill/schema-fingerprint.ts";
import { TravellingFleet } from "../pairs/travelling-fleet.ts";
import { isFull } from "../scope.ts";

const name = "glance";
/** Enough for a migration of several batches. */
const images = 20_000;
const newest = newestRelease.id;

// A cluster takes too long to start for npm test.
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
