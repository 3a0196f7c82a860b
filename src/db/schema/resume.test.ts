// The engine dies at every boundary it has (each step, each part of a step, each batch), and is run again: the end is the same.
// Death here is an exception out of the listener, which leaves the database as a kill does; real kills are in test/upgrade/kill.
import assert from "node:assert/strict";
import { test } from "node:test";
import { newestRelease, releaseOf } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { createNodeRepository } from "../repositories/node-repository.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { nodeRow } from "../testing/nodes.ts";
import { contract } from "./contract.ts";
import type { EngineEvent, EngineOptions } from "./engine-run.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { databaseReadiness } from "./readiness.ts";
import { revert } from "./revert.ts";
import { sync } from "./sync.ts";
import { addMember, fillNewton, heads, idOf, migratedRows, visibilityById } from "./testing/rows.ts";
import { shapeOf } from "./testing/shape.ts";

const ocata = releaseOf("ocata");
const newton = releaseOf("newton");
const newestExpanded = [newestRelease.heads.expanded];
const rows = 120;
/** Small batches, so that there are several. */
const backfill = { batchRows: 25, batchRowsMax: 25 };
/** However small the table, its column is switched, not rebuilt. */
const limits = { rebuildRowsMax: 0 };

class Death extends Error {}

/** Runs `act`, which dies at the first (or third, ...) event nobody saw before; until one run comes through. Returns where it died. */
async function dieEverywhere(
  act: (on: EngineOptions["on"]) => Promise<unknown>,
  every = 1,
): Promise<readonly string[]> {
  const died: string[] = [];
  const seen = new Set<string>();
  for (;;) {
    const on = (event: EngineEvent) => {
      const place = placeOf(event);
      if (place === null || seen.has(place)) return;
      seen.add(place);
      if (seen.size % every !== 0) return;
      died.push(place);
      throw new Death(place);
    };
    try {
      await act(on);
      return died;
    } catch (error) {
      if (!(error instanceof Death)) throw error;
      assert(died.length < 200, "each run gets further than the one before");
    }
  }
}

type Work = Parameters<Database["transaction"]>[0];

/** `db`, with another way to run a transaction. */
function withTransactions(db: Database, transaction: (work: Work) => Promise<unknown>): Database {
  return new Proxy(db, {
    get(target, name) {
      if (name === "transaction") return transaction;
      return Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name);
    },
  });
}

function placeOf(event: EngineEvent): string | null {
  if (event.event === "step")
    return event.status === "already_applied"
      ? null
      : `${event.step}: ${event.status} ${event.detail?.replace(/\d+/g, "n") ?? ""}`;
  // Every batch of a data migration, by how far it has come.
  return event.event === "progress" && event.phase === "migrate" ? `batch at ${event.rowsDone}` : null;
}

for (const dialect of testDialects) {
  test(`resume: expand, migrate and contract die at every boundary and end as if they had not (${dialect})`, async (t) => {
    const undisturbed = await withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, rows);
      const ends = [];
      for (const act of [expand, migrate, contract]) {
        await act({ db, target: ocata });
        ends.push(await endOfPhase(db));
      }
      return ends;
    });
    await withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, rows);
      const died: string[] = [];
      for (const [phase, act] of [expand, migrate, contract].entries()) {
        died.push(...(await dieEverywhere((on = () => undefined) => act({ db, target: ocata, on, backfill, limits }))));
        assert.deepEqual(await endOfPhase(db), undisturbed[phase]);
      }
      assert.deepEqual(await visibilityById(db), migratedRows(rows));
      assert(died.length >= 30, `died at ${died.length} places`);
      t.diagnostic(`died at ${died.length} places`);
    });
  });

  test(`resume: creating a fresh database dies at every boundary (${dialect})`, () =>
    withTestDatabase(dialect, "empty", async ({ db }) => {
      const died = await dieEverywhere((on = () => undefined) => sync({ db, target: newton, on }), 5);
      assert(died.length >= 7, `died at ${died.length} places`);
      const fresh = await withTestDatabase(dialect, "newton", (made) => endOfPhase(made.db));
      assert.deepEqual(await endOfPhase(db), fresh);
    }));

  test(`resume: what old nodes write while a revert lies half-way counts, should it go on forward (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, 10);
      for (const act of [expand, migrate]) await act({ db, target: ocata });
      let hasDied = false;
      const dieWithoutTriggers = (event: EngineEvent) => {
        if (event.event !== "step" || event.status !== "applied" || !/ insert_visibility/.test(event.step)) return;
        hasDied = true;
        throw new Death();
      };
      await assert.rejects(revert({ db, target: newton, on: dieWithoutTriggers }), Death);
      assert(hasDied);
      await addMember(db, idOf(1));
      await db.run("UPDATE images SET is_public = FALSE WHERE id = ?", [idOf(5)]);
      const written = { ...migratedRows(10), [idOf(1)]: "shared", [idOf(5)]: "private" };
      for (const act of [expand, migrate]) await act({ db, target: ocata });
      assert.deepEqual(await visibilityById(db), written);
      // Its owner takes it back: nothing of what lay half-way is done to it again.
      await db.run("UPDATE images SET visibility = 'private' WHERE id = ?", [idOf(1)]);
      assert.equal((await migrate({ db, target: ocata })).outcome, "up_to_date");
      await contract({ db, target: ocata });
      assert.deepEqual(await visibilityById(db), { ...written, [idOf(1)]: "private" });
    }));

  test(`resume: a revert that died is over where another tool expanded since (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, 10);
      for (const act of [expand, migrate]) await act({ db, target: ocata });
      const dieAtOnce = () => {
        throw new Death();
      };
      await assert.rejects(revert({ db, target: newton, on: dieAtOnce }), Death);
      assert.deepEqual(await heads(db), ["mitaka02"]);
      await db.run("UPDATE alembic_version SET version_num = 'ocata_expand01'");
      await db.run("UPDATE images SET visibility = 'community' WHERE id = ?", [idOf(1)]);
      // A member that came while no trigger told of it.
      await addMember(db, idOf(2));
      await db.run("UPDATE images SET visibility = 'private' WHERE id = ?", [idOf(2)]);
      for (const act of [expand, migrate]) await act({ db, target: ocata });
      const written = { ...migratedRows(10), [idOf(1)]: "community", [idOf(2)]: "shared" };
      assert.deepEqual(await visibilityById(db), written);
      await db.run("UPDATE images SET visibility = 'private' WHERE id = ?", [idOf(2)]);
      for (const act of [migrate, contract]) await act({ db, target: ocata });
      assert.deepEqual(await visibilityById(db), { ...written, [idOf(2)]: "private" });
    }));

  test(`revert: a newer node that starts in the midst of it is seen, or finds the database not ready (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      for (const act of [expand, migrate]) await act({ db, target: newestRelease });
      const nodes = createNodeRepository(db);
      let isClaimed = false;
      // It registers after the revert looked for nodes, and before the first revision goes.
      const claimedLate = withTransactions(db, async (work) => {
        if (!isClaimed) await nodes.claim(nodeRow("late", { release: newestRelease.id }), undefined);
        isClaimed = true;
        return db.transaction(work);
      });
      const shape = await shapeOf(db);
      await assert.rejects(revert({ db: claimedLate, target: newton }), {
        code: "schema.contract_refused",
        message: /nodes newer than newton are alive: late/,
      });
      assert.deepEqual([await heads(db), await shapeOf(db)], [newestExpanded, shape], "nothing is gone");
      await nodes.markStopped("late");
      const readiness: ReturnType<typeof databaseReadiness>[] = [];
      await revert({ db, target: newton, on: () => readiness.push(databaseReadiness(db, newestRelease)) });
      assert(readiness.length > 0);
      for (const one of await Promise.all(readiness)) assert.equal(!one.ready && one.due, "expand");
    }));

  test(`resume: a data migration that dies after every batch repeats none (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, rows);
      await expand({ db, target: ocata });
      let batches = 0;
      let migrated = 0;
      for (let done = false; !done; ) {
        const dying = withTransactions(db, async (work) => {
          await db.transaction(work);
          batches++;
          throw new Death();
        });
        try {
          await migrate({ db: dying, target: ocata, backfill });
          done = true;
        } catch (error) {
          if (!(error instanceof Death)) throw error;
          const left = Object.values(await visibilityById(db)).filter((visibility) => visibility === null).length;
          assert.equal(
            rows - left - migrated,
            Math.min(25, rows - migrated),
            "each run does the next batch, and only that",
          );
          migrated = rows - left;
        }
      }
      assert.equal(batches, Math.ceil(rows / 25));
      assert.deepEqual(await visibilityById(db), migratedRows(rows));
      const progress = await db.query<{ rows_done: number }>(
        "SELECT rows_done FROM perennial_progress WHERE name LIKE '%derive%'",
      );
      assert.equal(Number(progress[0]?.rows_done), rows);
    }));
}

/** The rows are compared once, at the end: migrate is resumed row by row. */
async function endOfPhase(db: Database) {
  return { heads: await heads(db), shape: await shapeOf(db) };
}
