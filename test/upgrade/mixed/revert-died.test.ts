// A revert dies at any of its events, and then it goes on either way: back again, or forward to the newest release. A contract in between
// takes no release for expanded that is only half there: or else its other half never came. Each death takes a database
// of its own: the full run tries all of them on SQLite, and some of them elsewhere.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Database } from "../../../src/db/database.ts";
import { contract } from "../../../src/db/schema/contract.ts";
import type { EngineOptions } from "../../../src/db/schema/engine-run.ts";
import { expand } from "../../../src/db/schema/expand.ts";
import { migrate } from "../../../src/db/schema/migrate.ts";
import { revert } from "../../../src/db/schema/revert.ts";
import { readStanding, releaseAt } from "../../../src/db/schema/revisions.ts";
import { readLiveSchema } from "../../../src/db/schema/schema-tools.ts";
import { sync } from "../../../src/db/schema/sync.ts";
import { fillNewton, heads, migratedRows, visibilityById } from "../../../src/db/schema/testing/rows.ts";
import { shapeOf } from "../../../src/db/schema/testing/shape.ts";
import { type DialectName, testDialects, withTestDatabase } from "../../../src/db/testing/databases.ts";
import { newestRelease, releaseOf } from "../../../src/releases/catalogue.ts";
import { isFull } from "../scope.ts";

const everyNth: Record<DialectName, number> = isFull
  ? { sqlite: 1, mysql: 3, postgresql: 3 }
  : { sqlite: 9, mysql: 29, postgresql: 29 };
/** In the midst of a release, where the sample has few to try. */
const firstEvent = isFull ? 1 : 7;
const rows = 20;
const newton = releaseOf("newton");

class Death extends Error {}

for (const dialect of testDialects)
  test(`revert: died anywhere, it goes on either way (${dialect})`, (t) =>
    withTestDatabase(dialect, "empty", async ({ db: fresh }) => {
      await sync({ db: fresh, target: newestRelease });
      const contracted = await endOf(fresh);
      let nth = firstEvent;
      while (await withTestDatabase(dialect, "newton", ({ db }) => dieAndGoOn(db, nth, contracted)))
        nth += everyNth[dialect];
      assert(nth > 30, `at event ${nth} there was none left`);
      t.diagnostic(`at event ${nth} there was none left`);
    }));

/** Returns whether the revert had so many events that it died. */
async function dieAndGoOn(db: Database, nth: number, contracted: Awaited<ReturnType<typeof endOf>>): Promise<boolean> {
  await fillNewton(db, rows);
  const before = await endOf(db);
  const options = { db, target: newestRelease };
  for (const act of [expand, migrate]) await act(options);
  const died = await dieAt(nth, (on) => revert({ db, target: newton, on }));
  const isBackAgain = nth % 4 === 0 || died === null;
  if (isBackAgain) {
    await revert({ db, target: newton });
    assert.deepEqual(await endOf(db), before, `back again after ${died}`);
  }
  await contractWhatIsThere(db);
  for (const act of [expand, migrate, contract]) await act(options);
  assert.deepEqual(await endOf(db), contracted, `forward after ${died}`);
  assert.deepEqual(await visibilityById(db), migratedRows(rows));
  return died !== null;
}

/** Runs `act`, which dies at its n-th event. Returns at which; null where it had not so many. */
async function dieAt(
  nth: number,
  act: (on: NonNullable<EngineOptions["on"]>) => Promise<unknown>,
): Promise<string | null> {
  let events = 0;
  try {
    await act((event) => {
      if (++events === nth) throw new Death(JSON.stringify(event));
    });
    return null;
  } catch (error) {
    if (error instanceof Death) return error.message;
    throw error;
  }
}

/** To the release up to which the database says that it is expanded; or that is refused, with the command that is due. */
async function contractWhatIsThere(db: Database): Promise<void> {
  const { expandLevel } = await readStanding(db, await readLiveSchema(db));
  const target = releaseAt(expandLevel) ?? assert.fail("a release of the catalogue");
  try {
    await contract({ db, target });
  } catch (error) {
    assert.match(String(error), /"glance-manage db (expand|migrate)"/);
  }
}

async function endOf(db: Database) {
  return { heads: await heads(db), shape: await shapeOf(db) };
}
