// Property: phases to random releases in random order, broken off at random moments, taken back and begun again. What may not be done yet is
// refused with nothing changed; a way back leads to the schema that was there; and whatever the way, the end is the newest release's schema
// with every row as it has to be.
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../../demo/traffic/actor.ts";
import { isServiceError } from "../../../src/core/errors.ts";
import type { Database } from "../../../src/db/database.ts";
import { contract } from "../../../src/db/schema/contract.ts";
import type { EngineOptions } from "../../../src/db/schema/engine-run.ts";
import { expand } from "../../../src/db/schema/expand.ts";
import { migrate } from "../../../src/db/schema/migrate.ts";
import { revert } from "../../../src/db/schema/revert.ts";
import { sync } from "../../../src/db/schema/sync.ts";
import { fillNewton, migratedRows, visibilityById } from "../../../src/db/schema/testing/rows.ts";
import { shapeOf } from "../../../src/db/schema/testing/shape.ts";
import { verify } from "../../../src/db/schema/verify.ts";
import { type DialectName, testDialects, withTestDatabase } from "../../../src/db/testing/databases.ts";
import { newestRelease, type Release, releaseOf } from "../../../src/releases/catalogue.ts";
import { stations } from "../pairs/releases-that-differ.ts";
import { isFull } from "../scope.ts";

const seedsOf: Record<DialectName, number> = isFull
  ? { sqlite: 20, mysql: 8, postgresql: 8 }
  : { sqlite: 3, mysql: 1, postgresql: 1 };
const firstSeed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
const actsMax = 12;
const rows = 60;
const acts = { expand, migrate, contract, revert } as const;
type ActName = keyof typeof acts;
/** What an act may answer that cannot be done where the database stands. */
const refusals = ["schema.out_of_order", "schema.contract_refused"] as const;

const brokenOff = new Error("broken off");

for (const dialect of testDialects)
  for (let seed = firstSeed; seed < firstSeed + seedsOf[dialect]; seed++)
    test(`engine walk: any way from Newton to the newest ends the same: ${dialect}, SEED=${seed}`, () =>
      withTestDatabase(dialect, "newton", ({ db }) => walk(db, dialect, seededRandom(seed))));

async function walk(db: Database, dialect: DialectName, random: () => number): Promise<void> {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] ?? assert.fail("nothing");
  await fillNewton(db, rows);
  const said: string[] = [];
  /** What was contracted to last: what lies before cannot be come back to. */
  let finished = releaseOf("newton");
  const act = async (name: ActName, target: Release, breaksAt: number) => {
    said.push(`${name} to ${target.id}${Number.isFinite(breaksAt) ? `, broken off at ${breaksAt}` : ""}`);
    const outcome = await attempt(name, { db, target }, breaksAt);
    said.push(`  ${outcome}`);
    if (outcome === "contracted") finished = target;
    if (outcome === "reverted") assert.deepEqual(await shapeOf(db), await freshShape(dialect, target), "as before");
  };
  try {
    for (let turn = 0; turn < actsMax; turn++) {
      const name = pick(["expand", "expand", "migrate", "contract", "revert"] as const);
      const later = stations.map(releaseOf).filter((one) => one.level >= finished.level);
      const target = name === "revert" ? finished : pick(later);
      await act(name, target, random() < 0.5 ? 1 + Math.floor(random() * 12) : Number.POSITIVE_INFINITY);
    }
    for (const name of ["expand", "migrate"] as const) await act(name, newestRelease, Number.POSITIVE_INFINITY);
    if ((await shapeOf(db)).images?.join().includes("is_public")) {
      const { sound, invariants } = await verify({ db, target: newestRelease });
      assert(sound, JSON.stringify(invariants));
    }
    await act("contract", newestRelease, Number.POSITIVE_INFINITY);
    assert.deepEqual(await visibilityById(db), migratedRows(rows));
    assert.deepEqual(await shapeOf(db), await freshShape(dialect, newestRelease));
  } catch (error) {
    throw new Error(`after:\n${said.join("\n")}`, { cause: error });
  }
}

/** Breaks it off at the n-th event, which is a safe point. */
async function attempt(name: ActName, options: EngineOptions, breaksAt: number): Promise<string> {
  const stop = new AbortController();
  let events = 0;
  const on = () => {
    if (++events >= breaksAt) stop.abort(brokenOff);
  };
  const accepting = name === "revert" ? { acceptLosses: true } : {};
  try {
    return (await acts[name]({ ...options, ...accepting, on, signal: stop.signal })).outcome;
  } catch (error) {
    if (error === brokenOff) return "broken off";
    if (refusals.some((code) => isServiceError(error, code))) return `refused: ${(error as Error).message}`;
    throw error;
  }
}

const shapes = new Map<string, ReturnType<typeof shapeOf>>();

/** Of a database made at that release. */
function freshShape(dialect: DialectName, target: Release): ReturnType<typeof shapeOf> {
  const key = `${dialect} ${target.id}`;
  const found =
    shapes.get(key) ??
    withTestDatabase(dialect, "empty", async ({ db }) => {
      await sync({ db, target });
      return shapeOf(db);
    });
  shapes.set(key, found);
  return found;
}
