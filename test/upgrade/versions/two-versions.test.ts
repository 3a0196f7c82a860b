// A fleet moves from one version of the package to another, back, and forward again to the end, under traffic: the nodes of both are processes
// of different software on one database. They take a minute to pack, so this is part of the full run only.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkImages } from "../../../demo/check-images.ts";
import { startFleet } from "../../../demo/fleet.ts";
import { sampleImages } from "../../../demo/images.ts";
import { binary, finish } from "../../../demo/processes.ts";
import { loadSamples } from "../../../demo/traffic/load.ts";
import { Recorder } from "../../../demo/traffic/recorder.ts";
import { makeActors, startTraffic } from "../../../demo/traffic/traffic.ts";
import { openDatabase } from "../../../src/db/connect.ts";
import { isFull } from "../scope.ts";
import { assertUpgraded } from "../upgraded.ts";
import { packVersions } from "./older-package.ts";

const projects = ["red", "green"];

if (isFull)
  test("versions: a fleet goes from an older package to today's, back and forward, and no request fails", {
    timeout: 2_400_000,
  }, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "perennial-versions-"));
    try {
      const { older, today, olderVersion, todayVersion, madeFrom } = await packVersions(folder);
      t.diagnostic(`the older package was made from ${madeFrom}`);
      const packages = { newton: older, ocata: today };
      const place = { folder: join(folder, "fleet"), nodes: 2, database: "sqlite", balancer: "builtin" } as const;
      const fleet = await startFleet({ ...place, packages });
      const recorder = new Recorder();
      try {
        const { origin } = fleet;
        const images = sampleImages({ seed: 11, count: 6, projects });
        const samples = await loadSamples(origin, recorder, images);
        const actors = makeActors({ origin, recorder, samples, projects, seed: 11, count: 3 });
        await using traffic = startTraffic({ actors, requestsPerSecond: 15 });
        const rollout = async (...args: readonly string[]) => {
          const [verb = "", ...rest] = args;
          const ended = await finish([...binary("glance-rollout"), verb, "--fleet", fleet.file, "--yes", ...rest], {
            msMax: 1_200_000,
          });
          assert.equal(ended.code, 0, `${args.join(" ")}: ${ended.stdout}\n${ended.stderr}`);
        };
        await assertRun(fleet.connection, "newton", olderVersion);
        await rollout("run", "--until", "nodes");
        await assertRun(fleet.connection, "ocata", todayVersion);
        await rollout("rollback");
        await assertRun(fleet.connection, "newton", olderVersion);
        assert.equal((await fleet.manage("db", "version")).stdout.trim(), "mitaka02");
        await rollout("run");
        await assertRun(fleet.connection, "ocata", todayVersion);
        await traffic.stop();
        const checked = await checkImages({ origin, recorder, samples, actors, onChecked: () => undefined });
        for (const actor of actors) actor.client.close();
        assert.deepEqual(checked.wrong, []);
        assert(checked.checked >= samples.length);
        // What is announced falls with the nodes: that is what going back means.
        assert.deepEqual(
          recorder.failures.filter(({ kind }) => kind !== "versions"),
          [],
        );
        await assertUpgraded(fleet);
        t.diagnostic(`${recorder.requests} requests, ${checked.checked} images compared`);
      } finally {
        await fleet.stop();
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

/** Every node that serves is of this release and this version of the package. */
async function assertRun(connection: string, release: string, version: string): Promise<void> {
  const database = await openDatabase(connection, { poolSizeMax: 1 });
  try {
    const rows = await database.query<{ release_id: string; package_version: string }>(
      "SELECT release_id, package_version FROM perennial_nodes WHERE state = 'serving' ORDER BY name",
    );
    assert.equal(rows.length, 2);
    for (const row of rows) assert.deepEqual([row.release_id, row.package_version], [release, version]);
  } finally {
    await database.close();
  }
}
