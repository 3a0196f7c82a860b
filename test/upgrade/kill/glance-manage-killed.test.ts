// glance-manage is killed with -9 at every step from Newton to the newest release, at its beginning and at its end, and within the data
// migrations whenever a batch is done; and run again until it says that it is done. The database ends as one that was never interrupted,
// row by row.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DatabaseKind } from "../../../demo/database.ts";
import { eventually } from "../../servers/eventually.ts";
import { databasesFor, isFull } from "../scope.ts";
import { KeptDatabase, type Phase, phases } from "./kept-database.ts";
import { type Fingerprint, fingerprint, migrationProgress } from "./schema-fingerprint.ts";

/** Enough for several batches, and for MariaDB's switch of columns. */
const images = 6_000;
/** Every moment in a full run, every so many otherwise. */
const every = isFull ? 1 : 12;
const batchKillsMax = isFull ? 12 : 2;
/** So that the migrations take more than one or two. */
const smallBatches = ["--batch-rows", "100", "--target-ms", "5"];
const locked = 6;

for (const database of databasesFor("mariadb"))
  test(`glance-manage is killed at every step from Newton to the newest and run again: ${database}`, {
    timeout: 900_000,
  }, async (t) => {
    const undisturbed = await upgradeDatabase(database);
    const kills: string[] = [];
    const killed = await upgradeDatabase(database, kills);
    assert.deepEqual(killed, undisturbed);
    t.diagnostic(`killed ${kills.length} times: ${kills.join("; ")}`);
    for (const phase of phases)
      assert(
        kills.some((one) => one.startsWith(phase)),
        `${phase} was never killed`,
      );
    if (isFull) assert(kills.length > 60, `only ${kills.length} kills`);
  });

/** `kills` is filled with the moments of the kills; absent: none. */
function upgradeDatabase(kind: DatabaseKind, kills?: string[]): Promise<Fingerprint> {
  return KeptDatabase.with(kind, images, async (kept) => {
    const passed = new Set<string>();
    for (const phase of phases) {
      if (kills && phase === "migrate") await killBetweenBatches(kept, kills);
      while (!(await runOnce(kept, phase, passed, kills)));
    }
    return kept.open(fingerprint);
  });
}

/** True when the phase came to its end; each moment is a reason to kill it only once. */
async function runOnce(kept: KeptDatabase, phase: Phase, passed: Set<string>, kills?: string[]): Promise<boolean> {
  let killedAt: string | undefined;
  const ended = await runUnlocked(kept, phase, (moment, kill) => {
    if (!kills || killedAt !== undefined || passed.has(moment)) return;
    passed.add(moment);
    if (passed.size % every !== 0) return;
    killedAt = moment;
    kill();
  });
  if (killedAt !== undefined) kills?.push(killedAt);
  if (ended.signal === "SIGKILL") return false;
  assert.equal(ended.code, 0, ended.stderr);
  return true;
}

/** The server may take a moment to notice that a killed run is gone, and to let go of its lock. */
function runUnlocked(kept: KeptDatabase, phase: Phase, listener: Parameters<KeptDatabase["run"]>[1]) {
  return eventually("the lock of the killed run is free", async () => {
    const ended = await kept.run([phase, ...(phase === "migrate" ? smallBatches : [])], listener);
    return ended.code !== locked && ended;
  });
}

/** Kills the migration whenever a batch more is done, until it ends by itself or that was often enough. */
async function killBetweenBatches(kept: KeptDatabase, kills: string[]): Promise<void> {
  await kept.open(async (db) => {
    for (let batch = 1; batch <= batchKillsMax; batch++) {
      const before = await migrationProgress(db);
      const running = kept.start(["migrate", ...smallBatches]);
      let isOver = false;
      void running.ended.then(() => {
        isOver = true;
      });
      while (!isOver && (await migrationProgress(db)) === before);
      running.kill();
      const { code, signal } = await running.ended;
      if (code === 0) return;
      if (signal === "SIGKILL") kills.push(`migrate: batch ${batch}`);
    }
  });
}
