// glance-manage is killed with -9 whenever it has changed anything, in every phase, and run again until it says that it is done. The
// database ends as one that was never interrupted, and no row's meaning was lost.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { DatabaseKind } from "../../../demo/database.ts";
import { type RunningFleet, startFleet } from "../../../demo/fleet.ts";
import { binary } from "../../../demo/processes.ts";
import { openDatabase } from "../../../src/db/connect.ts";
import type { Database } from "../../../src/db/database.ts";
import { databaseKinds, isFull } from "../scope.ts";
import { type Fingerprint, fillImages, fingerprint, visibilities } from "./schema-fingerprint.ts";

const phases = ["expand", "migrate", "contract"] as const;
/** Rows enough for several batches of the backfill. */
const images = isFull ? 20_000 : 8_000;
const killsMax = isFull ? 40 : 3;

for (const database of databaseKinds)
  test(`glance-manage is killed at each change it makes and run again: ${database}`, {
    timeout: 600_000,
  }, async (t) => {
    const undisturbed = await upgradeDatabase(database, 0);
    const { kills, ...killed } = await upgradeDatabase(database, killsMax);
    assert.deepEqual(killed.schema, undisturbed.schema);
    assert.deepEqual(killed.visibilities, undisturbed.visibilities);
    t.diagnostic(`killed: ${kills.join(", ")}`);
    for (const phase of phases) assert(kills.includes(phase), `${phase} was never killed`);
  });

type Upgraded = { schema: Fingerprint; visibilities: readonly unknown[]; kills: readonly string[] };

/** `kills`: at most this many in each phase. */
async function upgradeDatabase(kind: DatabaseKind, killsMax: number): Promise<Upgraded> {
  const folder = await mkdtemp(join(tmpdir(), "perennial-manage-"));
  const fleet = await startFleet({ folder, nodes: 0, database: kind, balancer: "none" });
  const database = await openDatabase(fleet.connection, { poolSizeMax: 2 });
  const kills: string[] = [];
  try {
    await fillImages(database, images);
    for (const phase of phases) {
      for (let killed = 0; killed < killsMax && (await killedIn(fleet, database, phase)); killed++) kills.push(phase);
      const { code, stderr } = await fleet.manage("db", phase);
      assert.equal(code, 0, stderr);
    }
    return { schema: await fingerprint(database), visibilities: await visibilities(database), kills };
  } finally {
    await database.close();
    await fleet.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs the phase and kills it when anything in the database is seen to change; false where it ended by itself. */
async function killedIn(fleet: RunningFleet, database: Database, phase: string): Promise<boolean> {
  const before = JSON.stringify(await fingerprint(database));
  const [program, script] = binary("glance-manage");
  const child = spawn(program, [script, "--config-file", fleet.config, "db", phase], { stdio: "ignore" });
  const ended = once(child, "exit");
  while (child.exitCode === null) {
    if (JSON.stringify(await fingerprint(database)) === before) continue;
    child.kill("SIGKILL");
    break;
  }
  await ended;
  return child.signalCode === "SIGKILL";
}
