// Longer walks of random operations over mixed fleets, in the full run alone: with several stores by name, and on a Galera cluster of which
// each kind of node has a member of its own. SEED begins a row of seeds of one's own, OPERATIONS is how many each walk has.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startGalera } from "../../servers/galera.ts";
import { startMariadb } from "../../servers/mariadb.ts";
import { isFull } from "../../upgrade/scope.ts";
import { Comparison } from "./differences.ts";
import { type FleetOptions, startMixedFleet } from "./fleet.ts";
import { walk } from "./walk.ts";

const operations = Number(process.env.OPERATIONS ?? 45);
const seedsEach = 2;

type Databases = { readonly databases: FleetOptions["databases"]; stop(): Promise<void> };

async function onMariadb(): Promise<Databases> {
  const server = await startMariadb();
  const url = await server.createDatabase();
  return { databases: { theirs: url, ours: url }, stop: () => server.stop() };
}

async function onGalera(): Promise<Databases> {
  const cluster = await startGalera(2, { suspectSeconds: 60 });
  await cluster.createDatabase("glance");
  const [first, second] = cluster.nodes;
  if (!first || !second) throw new Error("there are two members");
  return { databases: { theirs: first.url("glance"), ours: second.url("glance") }, stop: () => cluster.stop() };
}

const fleets = [
  { title: "with several stores", open: onMariadb, stores: "several", usualSeed: 31 },
  { title: "on Galera", open: onGalera, stores: "one", usualSeed: 41 },
] as const;

for (const { title, open, stores, usualSeed } of isFull ? fleets : []) {
  const firstSeed = Number(process.env.SEED ?? usualSeed);
  test(`mixed fleet ${title}: after each random operation both kinds show the same (SEED=${firstSeed})`, async (context) => {
    const { databases, stop } = await open();
    try {
      const fleet = await startMixedFleet({ databases, stores });
      const comparison = new Comparison();
      try {
        for (let seed = firstSeed; seed < firstSeed + seedsEach; seed++) {
          const { mistakes, done } = await walk(fleet, { seed, operations, comparison });
          context.diagnostic(
            `SEED=${seed}; went well: ${[...done].map(([what, count]) => `${what} ${count}`).join(", ")}`,
          );
          assert.deepEqual(mistakes, [], `SEED=${seed}\n${mistakes.join("\n")}`);
        }
        // Rows are met by the tests of bad requests, too: one that neither needs is out of date.
        context.diagnostic(`rows of the table that were not met:\n${comparison.unmet().join("\n")}`);
      } finally {
        await fleet.stop();
      }
    } finally {
      await stop();
    }
  });
}
