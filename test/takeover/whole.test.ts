// The whole way of a running Glance: taken over by ours, node by node, upgraded to 2026.1, with a db sync of its own tools in the midst; and
// one that comes back when there is no way back. Clients see nothing of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startGlance } from "../servers/glance.ts";
import { assertOk, type GlanceDatabase, type GlanceFleet, oursAmong, startGlanceFleet } from "./glance-fleet.ts";

for (const database of ["MariaDB", "a Galera cluster"] satisfies GlanceDatabase[])
  test(`a running Glance on ${database} is taken over under traffic, and goes on to 2026.1; nothing fails, and every image is as it was`, {
    timeout: 1_800_000,
  }, async (t) => {
    const fleet = await startGlanceFleet({ target: "2026.1", seed: 41, database });
    try {
      await takeOverAndUpgrade(fleet);
      t.diagnostic(`${fleet.recorder.requests} requests, ${fleet.user.rounds} images by the openstack command`);
      await comeBack(fleet);
    } finally {
      await fleet.stop();
    }
  });

async function takeOverAndUpgrade(fleet: GlanceFleet): Promise<void> {
  const refused = await fleet.rollout(["run", "--yes", "--json"]);
  assert.equal(refused.code, 7, refused.stderr);
  assert.match(refused.stderr, /n1 is a Glance \(process \d+.*glance-rollout takeover run/);

  assertOk(await fleet.user.beside(() => fleet.rollout(["takeover", "run", "--yes", "--json"])));
  assert.deepEqual(await oursAmong(fleet), ["n1", "n2"]);
  assert.deepEqual(fleet.recorder.failures, []);

  assertOk(await fleet.user.beside(() => fleet.rollout(["run", "--yes", "--json", "--until", "nodes"])));
  // A colleague's habit: the tool of the release they know finds nothing to do, and the expanded schema stays as it is.
  const before = await fleet.heads();
  assertOk(await fleet.manage("db", "sync"));
  assert.deepEqual(await fleet.heads(), before);
  assertOk(await fleet.rollout(["run", "--yes", "--json"]));
  await fleet.arrive();
}

/** One of the Glance nodes, when there is no way back. */
async function comeBack(fleet: GlanceFleet): Promise<void> {
  const [first] = fleet.nodes;
  assert(first);
  await fleet.stopOurs(first);
  await startGlance(first);
  const paused = await fleet.rollout(["run", "--yes", "--json"]);
  assert.equal(paused.code, 7, paused.stderr);
  assert.match(paused.stderr, /n1 is a Glance \(process \d+.*the database is past it already/);
  const status = await fleet.rollout(["status"]);
  assert.match(status.stdout, /^glance +n1: process \d+/m);
  const back = await fleet.rollout(["rollback", "--yes", "--json"]);
  assert.equal(back.code, 1, back.stderr);
  assert.match(back.stderr, /no way back to Glance zed/);
}
