// Property: whatever nodes of any two releases do on one database, in any order, before and after each phase, each shows what its release
// would (database.md, 6.3); phases that are killed go on; verify finds nothing; the way back leads to the schema that was there before; and
// contract loses no image's visibility and no member.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { DatabaseKind } from "../../../demo/database.ts";
import { type RunningFleet, startFleet } from "../../../demo/fleet.ts";
import { seededRandom } from "../../../demo/traffic/actor.ts";
import { openDatabase } from "../../../src/db/connect.ts";
import { shapeOf } from "../../../src/db/schema/testing/shape.ts";
import { type Release, type ReleaseId, releaseOf } from "../../../src/releases/catalogue.ts";
import { eventually } from "../../servers/eventually.ts";
import { stations } from "../pairs/releases-that-differ.ts";
import { databasesFor, isFull } from "../scope.ts";
import { killedAtRandom } from "./killed-phase.ts";
import type { Table } from "./model.ts";
import { NodeClient } from "./service.ts";
import { Walk } from "./walk.ts";

const seeds = isFull ? 2 : 1;
const firstSeed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));

for (const database of databasesFor("mariadb"))
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const random = seededRandom(seed);
    // Every other walk begins at Newton, where most is different.
    const start = seed % 2 === 0 ? 0 : Math.floor(random() * (stations.length - 1));
    const from = stations[start] ?? "newton";
    const to = stations[start + 1 + Math.floor(random() * (stations.length - start - 1))] ?? "ocata";
    test(
      `mixed fleet on ${database}: nodes of ${from} and ${to} agree with the table, SEED=${seed}`,
      {
        timeout: 900_000,
      },
      () => walkThroughUpgrade(database, from, to, random),
    );
  }

async function walkThroughUpgrade(
  database: DatabaseKind,
  from: ReleaseId,
  to: ReleaseId,
  random: () => number,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "perennial-mixed-"));
  const fleet = await startFleet({ folder, nodes: 2, database, balancer: "none", from, to });
  try {
    const [first, second] = fleet.nodes;
    assert(first && second);
    const clients = (...releases: readonly [ReleaseId, ReleaseId]) => [
      new NodeClient(releases[0], first.address),
      new NodeClient(releases[1], second.address),
    ];
    const [olds, mixed, news] = [clients(from, from), clients(from, to), clients(to, to)];
    const [old, target] = [releaseOf(from), releaseOf(to)];
    const untouched: Table = { hasVisibility: old.capabilities.visibilityStoredAs === "visibility" };
    const expanded: Table = { hasVisibility: true };
    const walk = new Walk(random);
    const shape = await shapeNow(fleet);
    await walk.go(25, untouched, olds);

    // Once there and back, then there for good.
    for (const forGood of [false, true]) {
      await phase(fleet, "expand", random);
      await walk.go(20, expanded, olds);
      await phase(fleet, "migrate", random);
      walk.migrated();
      await walk.lookAtAll(olds);
      await restartAs(fleet, 1, from, to);
      await walk.go(forGood ? 50 : 25, expanded, mixed);
      await verified(fleet, target);
      if (forGood) break;
      await restartAs(fleet, 1, to, from, () => goBack(fleet, from));
      walk.reverted(old.capabilities);
      assert.deepEqual(await shapeNow(fleet), shape, "the way back leads to where it began");
      await walk.go(15, untouched, olds);
    }
    const refused = await fleet.manage("db", "contract");
    assert(old.level === target.level || refused.code !== 0, "contract is refused while an old node lives");
    await walk.lookAtAll(mixed);
    await restartAs(fleet, 0, from, to);
    await walk.go(15, expanded, news);
    await phase(fleet, "migrate", random);
    await phase(fleet, "contract", random);
    await walk.lookAtAll(news);
    await assertNothingLost(fleet, walk);
    await walk.go(15, expanded, news);
  } finally {
    await fleet.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Kills it once, at a moment that chance chooses, and runs it to its end. */
async function phase(
  fleet: RunningFleet,
  name: "expand" | "migrate" | "contract",
  random: () => number,
): Promise<void> {
  await killedAtRandom(fleet.config, name, random);
  await eventually(`db ${name}, once the killed one is gone`, async () => {
    const { code, stdout, stderr } = await fleet.manage("db", name);
    if (code === 6) return false;
    assert.equal(code, 0, `db ${name}: ${stdout}${stderr}`);
    return true;
  });
}

async function verified(fleet: RunningFleet, target: Release): Promise<void> {
  const { code, stdout } = await fleet.manage("db", "verify", "--to", target.id);
  assert.equal(code, 0, stdout);
}

async function goBack(fleet: RunningFleet, to: ReleaseId): Promise<void> {
  const { code, stdout, stderr } = await fleet.manage("db", "revert", "--to", to, "--accept-losses");
  assert.equal(code, 0, `db revert: ${stdout}${stderr}`);
}

/** `meanwhile`: while it is down. */
async function restartAs(
  fleet: RunningFleet,
  index: number,
  from: ReleaseId,
  to: ReleaseId,
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<void> {
  const node = fleet.nodes[index] ?? assert.fail("there is no such node");
  process.kill(fleet.pidOf(node) ?? assert.fail(`${node.name} does not run`), "SIGTERM");
  await eventually(`${node.name} has ended`, () => fleet.pidOf(node) === undefined, { msMax: 120_000 });
  await meanwhile();
  const config = await readFile(node.config, "utf8");
  await writeFile(node.config, config.replace(`release = ${from}`, `release = ${to}`));
  await fleet.startNode(node);
}

async function shapeNow(fleet: RunningFleet) {
  const db = await openDatabase(fleet.connection, { poolSizeMax: 1 });
  try {
    return await shapeOf(db);
  } finally {
    await db.close();
  }
}

/** Asked of the tables: members of what is not shared are kept too, though no API shows them. */
async function assertNothingLost(fleet: RunningFleet, walk: Walk): Promise<void> {
  const database = await openDatabase(fleet.connection, { poolSizeMax: 1 });
  try {
    for (const image of walk.images) {
      const rows = await database.query<{ visibility: string }>("SELECT visibility FROM images WHERE id = ?", [
        image.id,
      ]);
      assert.deepEqual(
        rows.map((row) => row.visibility),
        [image.visibility],
        image.id,
      );
      const members = await database.query<{ member: string; status: string }>(
        "SELECT member, status FROM image_members WHERE image_id = ? AND deleted = FALSE ORDER BY member",
        [image.id],
      );
      assert.deepEqual(
        members.map((row) => [row.member, row.status]),
        [...image.members].sort(),
        image.id,
      );
    }
  } finally {
    await database.close();
  }
}
