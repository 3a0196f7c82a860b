// A rollout that leaves the contract for another day, and its way back from another folder, where only the database has its journal:
// under traffic, with nothing failed, and the database at the end as it was.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parse, stringify } from "yaml";
import { startFleet } from "../../demo/fleet.ts";
import { sampleImages } from "../../demo/images.ts";
import { binary, type Finished, finish } from "../../demo/processes.ts";
import { loadSamples } from "../../demo/traffic/load.ts";
import { Recorder } from "../../demo/traffic/recorder.ts";
import { makeActors, startTraffic } from "../../demo/traffic/traffic.ts";
import { newestRelease } from "../../src/releases/catalogue.ts";
import { changeFile } from "./fleet-text.ts";
import { databasesFor, isFull } from "./scope.ts";

const projects = ["red", "green"];

type Group = { nodes: string[]; requests: number; p99Ms: number | null };
type Entry = {
  seq: number;
  kind: string;
  node?: string;
  data?: { do?: string; verdict?: string; figures?: { new: Group; old: Group } };
};

/** To the next release, and over all of them. */
const targetOn = { sqlite: "ocata", mariadb: newestRelease.id, postgresql: newestRelease.id } as const;

/** The first is that of npm test. */
const databases = databasesFor("sqlite").filter((database) => !isFull || database !== "sqlite");

for (const database of databases)
  test(`a planned rollout to ${targetOn[database]} ends before its contract, and is rolled back from elsewhere without a failed request: ${database}`, {
    timeout: 900_000,
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "perennial-back-"));
    const balancer = database === "sqlite" ? "builtin" : "haproxy";
    const fleet = await startFleet({ folder, nodes: 2, database, balancer, to: targetOn[database] });
    const rollout = (...args: readonly string[]) => finish([...binary("glance-rollout"), ...args], { msMax: 600_000 });
    const ok = (ended: Finished) => assert.equal(ended.code, 0, `${ended.stdout}\n${ended.stderr}`);
    const recorder = new Recorder();
    try {
      const { origin } = fleet;
      const images = sampleImages({ seed: 7, count: 4, projects });
      const samples = await loadSamples(origin, recorder, images);
      const actors = makeActors({ origin, recorder, samples, projects, seed: 7, count: 2 });
      await using traffic = startTraffic({ actors, requestsPerSecond: 10 });

      // The figures are what is tested, not what a busy machine makes of them: no comparison fails.
      const canary = { window_seconds: 15, requests_min: 1, error_rate_max: 1, p99_ratio_max: 1_000 };
      await changeFile(fleet.file, { gates: { canary } });
      const [told, figures] = [join(folder, "told.jsonl"), join(folder, "rollout.prom")];
      await changeFile(fleet.file, {
        events: { hooks: [{ command: ["tee", "-a", told] }] },
        metrics: { file: figures },
      });
      ok(await rollout("plan", "--fleet", fleet.file));
      const changed = await elsewhere(fleet.file, join(folder, "changed"));
      await changeFile(changed, { gates: { synthetic: false } });
      const refused = await rollout("run", "--fleet", changed, "--yes");
      assert.equal(refused.code, 8, refused.stderr);
      assert.match(refused.stderr, /gates changed in the fleet file/);

      ok(await rollout("run", "--fleet", fleet.file, "--yes", "--canary"));
      const first = JSON.parse((await rollout("report", "--fleet", fleet.file, "--json")).stdout);
      const judged = (first.events as Entry[]).find((event) => event.data?.do === "judge")?.data;
      assert.equal(judged?.verdict, "passed");
      assert.deepEqual([judged.figures?.new.nodes, judged.figures?.old.nodes], [["n1"], ["n2"]]);
      assert((judged.figures?.new.requests ?? 0) >= 1 && typeof judged.figures?.new.p99Ms === "number");
      ok(await rollout("run", "--fleet", fleet.file, "--yes", "--until", "nodes"));
      const status = JSON.parse((await rollout("status", "--fleet", fleet.file, "--json")).stdout);
      assert.deepEqual([status.state, status.contractPending], ["waiting", true]);

      const file = await elsewhere(fleet.file, join(folder, "elsewhere"));
      ok(await rollout("rollback", "--fleet", file, "--yes", "--accept-losses"));
      await traffic.stop();
      for (const actor of actors) actor.client.close();
      // What is announced falls with the nodes: that is what going back means.
      const failures = recorder.failures.filter(({ kind }) => kind !== "versions");
      assert.deepEqual(failures, []);

      const version = await fleet.manage("db", "version");
      assert.equal(version.stdout.trim(), "mitaka02", version.stderr);
      const report = JSON.parse((await rollout("report", "--fleet", file, "--json")).stdout);
      assert.deepEqual([report.rollout, report.state, report.broken], [status.rollout, "rolled back", null]);
      const steps = (report.events as Entry[])
        .filter((event) => event.kind === "result" && event.data?.do === "drain")
        .map((event) => event.node);
      assert.deepEqual(steps, ["n1", "n2", "n2", "n1"], "forward, and back in reverse order");
      const heard = (await readFile(told, "utf8")).trimEnd().split("\n");
      const wanted = (report.events as Entry[])
        .filter(({ kind }) => kind !== "action" && kind !== "observation")
        .map(({ seq }) => seq);
      // A run does not wait for ever for those it tells, and the next one was on another host: the last ones may be missing.
      const seqs = heard.map((line) => JSON.parse(line).seq as number);
      assert(seqs.length > 0 && seqs.every((seq) => wanted.includes(seq)), "a hook is told of decisions and results");
      assert.deepEqual(
        [...new Set(seqs)].sort((a, b) => a - b),
        seqs,
        "in order, and once where nothing was killed",
      );
      assert.match(await readFile(figures, "utf8"), /perennial_rollout_running 0\n/);
    } finally {
      await fleet.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });

/** The same fleet, as another host would have its file: with a journal folder of its own. */
async function elsewhere(file: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, "fleet.yaml");
  const tree = parse(await readFile(file, "utf8")) as object;
  await writeFile(path, stringify({ ...tree, journal: join(folder, "journal") }));
  return path;
}
