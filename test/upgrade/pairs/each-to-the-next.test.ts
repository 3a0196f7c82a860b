// A fleet at Newton goes to the newest release station by station, each an upgrade of its own under the same clients: nothing fails,
// nothing is lost, and what a client has seen announced never becomes less.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../../src/db/connect.ts";
import type { JournalEvent } from "../../../src/rollout/journal-event.ts";
import { databasesFor, isFull } from "../scope.ts";
import { stations } from "./releases-that-differ.ts";
import { TravellingFleet } from "./travelling-fleet.ts";

// In npm test only the leg on which a data migration comes due again while old nodes still write, on one database.
const way = isFull ? stations : (["rocky", "train"] as const);
const legs = way.slice(1);

for (const database of databasesFor("sqlite"))
  test(`each release to the next, under traffic: ${way[0]} to ${way.at(-1)} in ${legs.length} upgrades: ${database}`, {
    timeout: 1_800_000,
  }, async (t) => {
    const { requests } = await TravellingFleet.run({ database, from: way[0] ?? "newton", seed: 11 }, async (fleet) => {
      for (const target of legs)
        if (target === "train") await rollToTrain(fleet);
        else await fleet.rollTo(target);
    });
    t.diagnostic(`${requests} requests, none failed`);
  });

/** An old node goes on writing what has been migrated already: the rollout migrates again before it contracts. */
async function rollToTrain(fleet: TravellingFleet): Promise<void> {
  const db = await openDatabase(fleet.fleet.connection, { poolSizeMax: 1 });
  try {
    const migrations: JournalEvent[] = [];
    let written: Promise<unknown> | undefined;
    await fleet.rollTo("train", {
      onEvent(event) {
        if (event.kind === "result" && event.data?.do === "migrate") migrations.push(event);
        if (event.kind === "result" && event.data?.do === "enable")
          written ??= db.run(`UPDATE image_locations SET meta_data = '{"backend": "fast"}' WHERE deleted = FALSE`);
      },
    });
    await (written ?? assert.fail("no node was enabled"));
    assert(migrations.length >= 1, "rows of the old node were migrated");
    const [left] = await db.query<{ n: unknown }>(
      `SELECT COUNT(*) AS n FROM image_locations WHERE meta_data LIKE '%"backend":%'`,
    );
    assert.equal(Number(left?.n), 0);
    const [moved] = await db.query<{ n: unknown }>(
      `SELECT COUNT(*) AS n FROM image_locations WHERE meta_data LIKE '%"store": "fast"%'`,
    );
    assert(Number(moved?.n) > 0);
  } finally {
    await db.close();
  }
}
