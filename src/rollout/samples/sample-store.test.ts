// Samples in real databases: bounded whatever the length of a rollout, true after thinning, and readable whoever wrote them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRolloutSampleRepository } from "../../db/repositories/rollout-sample-repository.ts";
import { ensureTables } from "../../db/schema/own-tables.ts";
import { rolloutTables } from "../../db/schema/rollout-tables.ts";
import { testOnDatabases } from "../../db/testing/databases.ts";
import type { FleetSample, NodeSample } from "./sample.ts";
import { nodesKept, openSampleWriter, readFleetSamples, readSamples, thinning } from "./sample-store.ts";
import { readFleetSample, readNodeSamples, writeFleetSample, writeNodeSamples } from "./sample-text.ts";

const fleetAt = (atMs: number): FleetSample => ({
  atMs,
  run: "a",
  answers: { "2xx": atMs, "3xx": 0, "4xx": 1, "5xx": 0 },
  transfers: 1,
  times: [
    [0.1, atMs],
    [null, atMs],
  ],
  balancerFailures: null,
  told: 1,
  asked: 2,
});
const node = (name: string): NodeSample => ({
  name,
  release: "newton",
  process: "running",
  healthy: true,
  rotation: "ready",
  up: true,
  requests: 3,
  transfers: { count: 1, bytesLeft: 5, etaSeconds: null },
  heartbeatAgeSeconds: 2,
});

testOnDatabases("samples: kept, read on from any number, and thinned to multiples", "newton", async ({ db }) => {
  const store = createRolloutSampleRepository(db);
  assert.deepEqual([await store.last("r"), await store.read("r", "fleet")], [0, []], "a database without the table");
  await ensureTables(db, rolloutTables);
  const writer = await openSampleWriter(store, "r");
  const many = Array.from({ length: 1_000 }, (_one, index) => node(`näme "${index}" <script>`));
  for (const atMs of [10, 20, 30]) await writer.add(fleetAt(atMs), many);
  const again = await openSampleWriter(store, "r");
  await again.add(fleetAt(40), []);
  await store.add("another", "fleet", { seq: 1, atMs: 1, body: "{}" });
  const all = await readSamples(store, "r");
  assert.deepEqual(all.fleet, [10, 20, 30, 40].map(fleetAt));
  assert.deepEqual(all.nodes[1]?.read(), many, "a body of several parts");
  assert.deepEqual(await readFleetSamples(store, "r", 3), { fleet: [fleetAt(40)], last: 4 });
  assert.deepEqual(await readFleetSamples(store, "r", 4), { fleet: [], last: 4 });
  await assert.rejects(store.add("r", "fleet", { seq: 4, atMs: 1, body: "" }), { code: "db.duplicate" });
  await store.thin("r", "fleet", 3, 2);
  assert.deepEqual(
    (await store.read("r", "fleet")).map(({ seq }) => seq),
    [2, 4],
  );
  assert.equal((await store.read("another", "fleet")).length, 1);
});

testOnDatabases(
  "samples: one that is written while they are read comes with the next reading",
  "newton",
  async ({ db }) => {
    await ensureTables(db, rolloutTables);
    const store = createRolloutSampleRepository(db);
    const writer = await openSampleWriter(store, "raced");
    await writer.add(fleetAt(10), [node("n1")]);
    const racing = {
      read: async (...asked: Parameters<typeof store.read>) => {
        const found = await store.read(...asked);
        await writer.add(fleetAt(20), [node("n1")]);
        return found;
      },
    };
    const first = await readFleetSamples(racing, "raced", 0);
    const next = await readFleetSamples(store, "raced", first.last);
    assert.deepEqual([...first.fleet, ...next.fleet], [10, 20].map(fleetAt));
  },
);

test("samples: a day keeps few, the newest all, and the older ones the further apart", () => {
  const kept = nodesKept(1_000);
  const newest = (24 * 3_600) / 2;
  let numbers = Array.from({ length: newest }, (_one, index) => index + 1);
  for (const { upTo, step } of thinning(newest, kept)) {
    numbers = numbers.filter((number) => number > upTo || number % step === 0);
  }
  assert.equal(numbers.at(-1), newest);
  assert.equal(numbers.filter((number) => number > newest - kept).length, kept);
  assert(numbers.length < 12 * kept, String(numbers.length));
  for (const [index, number] of numbers.slice(1).entries()) {
    const [gap, age] = [number - (numbers[index] ?? 0), newest - (numbers[index] ?? 0)];
    assert(gap <= Math.max(1, (2 * age) / kept), `${gap} between samples of an age of ${age}`);
  }
  assert.equal(nodesKept(3), 300);
  assert.deepEqual(thinning(10, 300), [], "nothing is left out of a short one");
});

test("samples: what another version wrote otherwise, or nobody wrote, is left out", () => {
  assert.deepEqual(readFleetSample(5, writeFleetSample(fleetAt(5))), fleetAt(5));
  assert.deepEqual(readNodeSamples(writeNodeSamples([node("n1")])), [node("n1")]);
  for (const body of ["", "[", "null", "[1]", "{}", '{"answers":5,"run":"a"}']) {
    assert.equal(readFleetSample(5, body), undefined);
    assert.deepEqual(readNodeSamples(body), []);
  }
  const newer = '[["n1","2030.1","asleep",1,"resting",null,"many",3],[7]]';
  assert.deepEqual(readNodeSamples(newer), [
    {
      name: "n1",
      release: "2030.1",
      process: null,
      healthy: null,
      rotation: null,
      up: null,
      requests: null,
      transfers: { count: 3, bytesLeft: null, etaSeconds: null },
      heartbeatAgeSeconds: null,
    },
  ]);
});
