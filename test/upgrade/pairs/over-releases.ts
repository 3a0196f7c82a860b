// Upgrades that pass over releases: Newton to every later station, and every station to the newest, under traffic. A fleet that came
// from Newton to a station goes on to the newest, so each of these tests is two of the pairs. Each database has a file, so that they run
// beside one another.
import { test } from "node:test";
import type { DatabaseKind } from "../../../demo/database.ts";
import { newestRelease } from "../../../src/releases/catalogue.ts";
import { databasesFor, isFull } from "../scope.ts";
import { stations } from "./releases-that-differ.ts";
import { TravellingFleet } from "./travelling-fleet.ts";

const newest = newestRelease.id;
// From Newton to Ocata, and from the last station to the newest, is each-to-the-next.test.ts.
const between = stations.slice(1, -1).filter((station) => station !== "ocata");
const ways = isFull
  ? [["newton", newest] as const, ["ocata", newest] as const, ...between.map((one) => ["newton", one, newest] as const)]
  : [["newton", newest] as const];

/** On PostgreSQL only, where it is not the full run. */
export function testOverReleases(database: DatabaseKind): void {
  if (!databasesFor("postgresql").includes(database)) return;
  for (const [index, way] of ways.entries())
    test(`over releases, under traffic: ${way.join(" to ")}: ${database}`, { timeout: 900_000 }, async (t) => {
      const [from, ...legs] = way;
      const { requests } = await TravellingFleet.run({ database, from, seed: 30 + index }, async (fleet) => {
        for (const target of legs) await fleet.rollTo(target);
      });
      t.diagnostic(`${requests} requests, none failed`);
    });
}
