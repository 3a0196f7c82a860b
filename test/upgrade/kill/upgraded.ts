// The end that every upgrade has to come to, whatever was killed on the way.
import assert from "node:assert/strict";
import type { RunningFleet } from "../../../demo/fleet.ts";
import { adminToken } from "../../../demo/traffic/actor.ts";
import { openDatabase } from "../../../src/db/connect.ts";
import { eventually } from "../../servers/eventually.ts";

/** Every node serves Ocata, the schema is contracted and complete, and no upload that died with its node is left in `saving`. */
export async function assertUpgraded(fleet: RunningFleet): Promise<void> {
  for (const node of fleet.nodes) {
    const response = await fetch(`http://${node.address}/versions`);
    assert.match(await response.text(), /"v2\.5"/, `${node.name} serves Ocata`);
  }
  const version = await fleet.manage("db", "version");
  assert.match(version.stdout, /ocata_contract01/, version.stderr);
  const check = await fleet.manage("db", "check");
  assert.equal(check.code, 0, check.stdout);
  const database = await openDatabase(fleet.connection, { poolSizeMax: 1 });
  try {
    // These fail where a column, or one that should be gone, is not as it should be.
    await assert.rejects(database.query("SELECT is_public FROM images LIMIT 1"));
    assert.deepEqual(await database.query("SELECT id FROM images WHERE visibility IS NULL"), []);
  } finally {
    await database.close();
  }
  await eventually("no image is left in saving", () => nothingSaving(fleet), { msMax: 30_000, everyMs: 200 });
}

async function nothingSaving(fleet: RunningFleet): Promise<boolean> {
  const response = await fetch(`${fleet.origin}/v2/images?status=saving`, { headers: { "X-Auth-Token": adminToken } });
  return ((await response.json()) as { images: unknown[] }).images.length === 0;
}
