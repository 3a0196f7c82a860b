// A rollout to a release that is bad on every node, under traffic: the first node shows it, no other is moved, the fleet is taken back, and
// clients saw no failure but the share of that one node.
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
import { type Failure, Recorder } from "../../../demo/traffic/recorder.ts";
import { makeActors, startTraffic } from "../../../demo/traffic/traffic.ts";
import { exitCodes } from "../../../src/cli/exit-codes.ts";
import type { BadRelease } from "../../../src/rollout/testing/simulation/scenario.ts";
import { changeFile } from "../fleet-text.ts";
import { isFull } from "../scope.ts";
import { badAnswer, checkout, makeBadPackage } from "./bad-package.ts";

const projects = ["red", "green"];
const canary = { window_seconds: 15, requests_min: 20, error_rate_max: 0.01, p99_ratio_max: 2, on_failure: "rollback" };

type Entry = {
  readonly kind: string;
  readonly text: string;
  readonly node?: string;
  readonly data?: { readonly do?: string };
};

type Kind = {
  readonly bad: BadRelease;
  readonly says: RegExp;
  readonly changes: Parameters<typeof changeFile>[1];
  /** How `run` ends; where it does not go back by itself, `rollback` is asked for. */
  readonly ends: number;
  /** What clients may have seen of the one node. */
  readonly share: (failure: Failure) => boolean;
};

const kinds: readonly Kind[] = [
  {
    bad: "fails one in fifty",
    says: /the new nodes fail more often: new \d+ of \d+ failed/,
    // Among so many are two failures, and only they count: how fast a busy machine answers is not what is asked.
    changes: { gates: { canary: { ...canary, window_seconds: 60, requests_min: 100, p99_ratio_max: 1_000 } } },
    ends: exitCodes.rolledBack,
    share: ({ what }) => what.includes("status 500") && what.includes(badAnswer),
  },
  {
    bad: "three times slower",
    says: /the new nodes are slower: new .*p99 \d+ ms; old .*p99 \d+ ms/,
    // Six clients are through with few requests where each takes seconds.
    changes: { gates: { canary: { ...canary, requests_min: 10 } } },
    ends: exitCodes.rolledBack,
    share: () => false,
  },
  {
    bad: "fails its health",
    says: /n1 .*(?:health check did not pass|did not become ready)/,
    changes: { start: { deadline_seconds: 20 } },
    ends: exitCodes.paused,
    share: () => false,
  },
  {
    bad: "leaks",
    says: /n1 .*did not stay up after 3 starts/,
    changes: { health: { min_seconds: 600 } },
    ends: exitCodes.paused,
    // Whatever was under way when the node died.
    share: ({ what }) => /status 50[23]|ECONNRESET|socket hang up|aborted|ended after/.test(what),
  },
];

// The first in npm test, the others in the full run: they take a minute each.
for (const { bad, says, changes, ends, share } of isFull ? kinds.slice(1) : kinds.slice(0, 1))
  test(`bad release: one that ${bad} moves one node, is taken back, and costs clients no more than that node's share`, {
    timeout: 900_000,
  }, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "perennial-bad-"));
    const packages = { newton: checkout, ocata: join(folder, "bad") };
    await makeBadPackage(packages.ocata, bad);
    const place = { folder: join(folder, "fleet"), nodes: 2, database: "sqlite", balancer: "builtin" } as const;
    const fleet = await startFleet({ ...place, packages });
    const recorder = new Recorder();
    try {
      const { origin } = fleet;
      const images = sampleImages({ seed: 17, count: 4, projects });
      const samples = await loadSamples(origin, recorder, images);
      const actors = makeActors({ origin, recorder, samples, projects, seed: 17, count: 6 });
      await using traffic = startTraffic({ actors, requestsPerSecond: 40 });
      const rollout = (verb: string, ...args: readonly string[]) =>
        finish([...binary("glance-rollout"), verb, "--fleet", fleet.file, ...args], { msMax: 600_000 });
      await changeFile(fleet.file, changes);
      const ran = await rollout("run", "--yes");
      assert.equal(ran.code, ends, `${ran.stdout}\n${ran.stderr}`);
      if (ends === exitCodes.paused) {
        await changeFile(fleet.file, { start: { deadline_seconds: 120 }, health: { min_seconds: 0 } });
        const seen = recorder.failures.length;
        const back = await rollout("rollback", "--yes");
        assert.equal(back.code, 0, `${back.stdout}\n${back.stderr}`);
        assert.deepEqual(others(recorder.failures.slice(seen)), [], "nothing fails on the way back");
      }
      await traffic.stop();
      const report = JSON.parse((await rollout("report", "--json")).stdout);
      assert.equal(report.state, "rolled back");
      const entries = report.events as readonly Entry[];
      const why = entries.find(({ kind, text }) => kind === "decision" && says.test(text))?.text;
      assert(why, entries.map(({ text }) => text).join("\n"));
      const moved = entries
        .filter(({ kind, data }) => kind === "result" && data?.do === "drain")
        .map(({ node }) => node);
      assert.deepEqual([...new Set(moved)], ["n1"], "no node but the first is moved");
      assert.equal((await fleet.manage("db", "version")).stdout.trim(), "mitaka02");
      const seen = others(recorder.failures);
      assert.deepEqual(
        seen.filter((failure) => !share(failure)),
        [],
      );
      const checked = await checkImages({ origin, recorder, samples, actors });
      for (const actor of actors) actor.client.close();
      assert.deepEqual(checked.wrong, []);
      t.diagnostic(`${recorder.requests} requests, ${seen.length} failed by the bad node; ${why}`);
    } finally {
      await fleet.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });

/** What is announced falls with the nodes: that is what going back means. */
function others(failures: readonly Failure[]): readonly Failure[] {
  return failures.filter(({ kind }) => kind !== "versions");
}
