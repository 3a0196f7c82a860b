// Property: whatever nodes of Newton and Ocata do on one database, in any order, before and after each phase, each shows what the
// reference's table of mixed fleets says, and contract loses no image's visibility and no member.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { DatabaseKind } from "../../../demo/database.ts";
import { type RunningFleet, startFleet } from "../../../demo/fleet.ts";
import { seededRandom } from "../../../demo/traffic/actor.ts";
import { openDatabase } from "../../../src/db/connect.ts";
import { eventually } from "../../servers/eventually.ts";
import { databaseKinds, isFull } from "../scope.ts";
import { NodeClient } from "./service.ts";
import { Walk } from "./walk.ts";

const seeds = isFull ? 15 : 2;
const firstSeed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));

for (const database of databaseKinds)
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++)
    test(
      `mixed fleet on ${database}: Newton and Ocata nodes agree with the table, SEED=${seed}`,
      { timeout: 180_000 },
      () => walkThroughUpgrade(database, seed),
    );

async function walkThroughUpgrade(database: DatabaseKind, seed: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "perennial-mixed-"));
  const fleet = await startFleet({ folder, nodes: 2, database, balancer: "none" });
  try {
    const [first, second] = fleet.nodes;
    assert(first && second);
    const newtons = [new NodeClient("newton", first.address), new NodeClient("newton", second.address)];
    const mixed = [new NodeClient("newton", first.address), new NodeClient("ocata", second.address)];
    const ocatas = [new NodeClient("ocata", first.address), new NodeClient("ocata", second.address)];
    const walk = new Walk(seededRandom(seed));
    await walk.go(25, "newton", newtons);
    await manage(fleet, "expand");
    await walk.go(25, "expanded", newtons);
    await manage(fleet, "migrate");
    walk.migrated();
    await walk.lookAtAll(newtons);
    await restartAsOcata(fleet, 1);
    await walk.go(80, "migrated", mixed);
    const refused = await fleet.manage("db", "contract");
    assert.notEqual(refused.code, 0, "contract is refused while an old node lives");
    await walk.lookAtAll(mixed);
    await restartAsOcata(fleet, 0);
    await walk.go(15, "migrated", ocatas);
    await manage(fleet, "contract");
    await walk.lookAtAll(ocatas);
    await assertNothingLost(fleet, walk);
    await walk.go(15, "contracted", ocatas);
  } finally {
    await fleet.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function manage(fleet: RunningFleet, phase: "expand" | "migrate" | "contract"): Promise<void> {
  const { code, stdout, stderr } = await fleet.manage("db", phase);
  assert.equal(code, 0, `db ${phase}: ${stdout}${stderr}`);
}

async function restartAsOcata(fleet: RunningFleet, index: number): Promise<void> {
  const node = fleet.nodes[index] ?? assert.fail("there is no such node");
  process.kill(fleet.pidOf(node) ?? assert.fail(`${node.name} does not run`), "SIGTERM");
  await eventually(`${node.name} has ended`, () => fleet.pidOf(node) === undefined, { msMax: 30_000 });
  const config = await readFile(node.config, "utf8");
  await writeFile(node.config, config.replace("release = newton", "release = ocata"));
  await fleet.startNode(node);
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
        "SELECT member, status FROM image_members WHERE image_id = ? AND deleted = 0 ORDER BY member",
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
