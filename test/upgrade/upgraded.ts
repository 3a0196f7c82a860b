// The end that every upgrade has to come to, whatever happened on the way.
import assert from "node:assert/strict";
import type { RunningFleet } from "../../demo/fleet.ts";
import { adminToken } from "../../demo/traffic/actor.ts";
import { openDatabase } from "../../src/db/connect.ts";
import { type ApiFeatures, noFeatures } from "../../src/releases/api-versions.ts";
import { type ReleaseId, releaseOf } from "../../src/releases/catalogue.ts";
import { eventually } from "../servers/eventually.ts";

/** Every node serves `target`, the schema is contracted and complete, and no upload that died with its node is left in `saving`. */
export async function assertUpgraded(
  fleet: RunningFleet,
  target: ReleaseId = "ocata",
  { features = noFeatures, token = adminToken }: { features?: ApiFeatures; token?: string } = {},
): Promise<void> {
  const release = releaseOf(target);
  for (const node of fleet.nodes) {
    const response = await fetch(`http://${node.address}/versions`).catch((error: Error) =>
      assert.fail(`${node.name} does not answer: ${error.cause ?? error}`),
    );
    const { versions } = (await response.json()) as { versions: readonly { id: string; status: string }[] };
    const announced = versions.map(({ id, status }) => ({ id, status }));
    assert.deepEqual(announced, release.apiVersions(features), `${node.name} announces ${target}`);
  }
  const version = await fleet.manage("db", "version");
  assert.equal(version.stdout.trim(), release.heads.contracted, version.stderr);
  const check = await fleet.manage("db", "check");
  assert.equal(check.code, 0, check.stdout);
  const database = await openDatabase(fleet.connection, { poolSizeMax: 1 });
  try {
    const rows = await database.query<{ release_id: string }>("SELECT release_id FROM perennial_nodes ORDER BY name");
    assert.deepEqual(
      rows.map((row) => row.release_id),
      fleet.nodes.map(() => target),
    );
    // This fails where a column that should be gone is not.
    await assert.rejects(database.query("SELECT is_public FROM images LIMIT 1"));
    assert.deepEqual(await database.query("SELECT id FROM images WHERE visibility IS NULL"), []);
  } finally {
    await database.close();
  }
  await eventually("no image is left in saving", () => nothingSaving(fleet, token), { msMax: 120_000, everyMs: 200 });
}

async function nothingSaving(fleet: RunningFleet, token: string): Promise<boolean> {
  const response = await fetch(`${fleet.origin}/v2/images?status=saving`, { headers: { "X-Auth-Token": token } });
  return ((await response.json()) as { images: unknown[] }).images.length === 0;
}
