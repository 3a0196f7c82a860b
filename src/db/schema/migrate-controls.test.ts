// A data migration under its operator's hand: paused, resumed and changed from another connection while it runs, held back by what a
// node reports, and never begun from a checkpoint that only a newer version understands.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isServiceError } from "../../core/errors.ts";
import { releaseOf } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { stepsOf } from "../releases/steps.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { defaultBackfillLimits } from "./backfill-limits.ts";
import { runBackfill } from "./backfill-runner.ts";
import { contract } from "./contract.ts";
import { type EngineEvent, withEngineLock } from "./engine-run.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { controlMigration, readControls } from "./migrate-controls.ts";
import { DatabaseProgress } from "./progress-store.ts";
import type { Backfill } from "./step.ts";
import { fillNewton, migratedRows, visibilityById } from "./testing/rows.ts";

const ocata = releaseOf("ocata");
const rows = 60;
const smallBatches = { batchRows: 10, batchRowsMax: 10 };

type Progress = Extract<EngineEvent, { event: "progress" }>;

async function expanded(db: Database): Promise<void> {
  await fillNewton(db, rows);
  await expand({ db, target: ocata });
}

async function pendingRows(db: Database): Promise<number> {
  const [row] = await db.query<{ n: unknown }>("SELECT COUNT(*) AS n FROM images WHERE visibility IS NULL");
  return Number(row?.n);
}

/** Migrates, and collects why it was slow; `heard` resolves at the first reason that matches. */
function listen(pattern: RegExp) {
  const details: string[] = [];
  const heard = Promise.withResolvers<void>();
  const on = (event: EngineEvent) => {
    if (event.event !== "progress" || (event as Progress).detail === undefined) return;
    details.push(event.detail ?? "");
    if (pattern.test(event.detail ?? "")) heard.resolve();
  };
  return { on, details, heard: heard.promise };
}

for (const dialect of testDialects) {
  test(`progress: of very many rows the total is estimated until all are done (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await expanded(db);
      const [real] = stepsOf(ocata.id).migrate;
      assert(real);
      const many: Backfill = {
        ...real,
        pending: async (on, rowsMax, progress) => (rowsMax === 1 ? real.pending(on, rowsMax, progress) : rowsMax),
      };
      const told: Progress[] = [];
      const on = (event: EngineEvent) => event.event === "progress" && told.push(event);
      await withEngineLock({ db, target: ocata, on }, async (run) =>
        runBackfill(run, ocata.id, many, await DatabaseProgress.open(db), defaultBackfillLimits),
      );
      assert.equal(told[0]?.rowsTotalEstimated, true);
      assert((told[0]?.rowsTotal ?? 0) >= rows);
      const { rowsDone, rowsTotal, rowsTotalEstimated } = told.at(-1) ?? assert.fail();
      assert.deepEqual([rowsDone, rowsTotal, rowsTotalEstimated], [rows, rows, undefined]);
    }));

  test(`controls: paused before it starts, it touches nothing until another connection resumes it (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db, another }) => {
      await expanded(db);
      const operator = await another();
      assert.deepEqual(await controlMigration(operator, { paused: true }), { paused: true, limits: {} });
      const before = await pendingRows(db);
      const { on, heard } = listen(/^paused/);
      const migrated = migrate({ db, target: ocata, on, backfill: smallBatches });
      await heard;
      assert.equal(await pendingRows(operator), before);
      await controlMigration(operator, { paused: false });
      assert.equal((await migrated).complete, true);
      assert.deepEqual(await visibilityById(db), migratedRows(rows));
    }));

  test(`controls: a pause ends with the time the run was given, and outlives it (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await expanded(db);
      await controlMigration(db, { paused: true, limits: { targetMs: 10 } });
      const result = await migrate({ db, target: ocata, backfill: { ...smallBatches, secondsMax: 0.2 } });
      assert.deepEqual(result, { outcome: "migrated", rows: 0, complete: false });
      // The changed limit was one of a run before.
      const progress = await DatabaseProgress.open(db);
      assert.deepEqual(await readControls(progress), { paused: true, limits: {} });
    }));

  test(`controls: limits change while it runs (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db, another }) => {
      await expanded(db);
      const operator = await another();
      await controlMigration(operator, { paused: true });
      const { on, heard } = listen(/^paused/);
      const sizes: number[] = [];
      const migrated = migrate({
        db,
        target: ocata,
        backfill: { batchRows: 5, batchRowsMax: 1_000, targetMs: 10_000 },
        on: (event) => {
          on(event);
          if (event.event === "progress") sizes.push(event.batchRows);
        },
      });
      await heard;
      await controlMigration(operator, { paused: false, limits: { batchRowsMax: 5 } });
      await migrated;
      assert(Math.max(...sizes) <= 5, `batches of ${sizes.join(", ")}`);
      assert.deepEqual(await visibilityById(db), migratedRows(rows));
    }));

  test(`controls: slow nodes hold it back, but not for good (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await expanded(db);
      await db.run(
        `INSERT INTO perennial_nodes (name, address, release_id, package_version, pid, state, started_at, heartbeat_at, p99_ms)
         VALUES ('n1', '10.0.0.1:9292', 'newton', '1', 1, 'serving', ${db.dialect.nowSql}, ${db.dialect.nowSql}, 800)`,
      );
      const { on, details } = listen(/n1/);
      const result = await migrate({ db, target: ocata, on, backfill: { batchRows: 1_000, p99MsMax: 400 } });
      assert.equal(result.complete, true);
      assert(
        details.includes("held back: requests of node n1 take 800 ms at the 99th percentile (limit 400)"),
        details.join("; "),
      );
    }));

  test(`controls: a checkpoint of a newer version is refused, with nothing changed (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await expanded(db);
      await migrate({ db, target: ocata, backfill: { ...smallBatches, rowsMax: 10 } });
      const before = await visibilityById(db);
      await db.run("UPDATE perennial_progress SET format = 99 WHERE name LIKE 'ocata: derive%'");
      await assert.rejects(migrate({ db, target: ocata }), (error) => isServiceError(error, "schema.newer_progress"));
      assert.deepEqual(await visibilityById(db), before);
    }));
}

if (testDialects.includes("mysql"))
  test("controls: the rows that contract copies are copied at the pace of a data migration (mysql)", () =>
    withTestDatabase("mysql", "newton", async ({ db, another }) => {
      await expanded(db);
      await migrate({ db, target: ocata });
      const operator = await another();
      const [paused, heldBack] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const on = (event: EngineEvent) => {
        if (event.event !== "step") return;
        if (event.detail?.startsWith("paused")) paused.resolve();
        if (/^held back: the server runs \d+ statements/.test(event.detail ?? "")) heldBack.resolve();
      };
      await controlMigration(operator, { paused: true });
      // However small the table, its column is switched, not rebuilt.
      const contracted = contract({ db, target: ocata, on, limits: { rebuildRowsMax: 0 } });
      await Promise.race([paused.promise, contracted]);
      // `shared` is what the fresh column holds by itself.
      const copied = await operator.query("SELECT id FROM images WHERE perennial_visibility <> 'shared'");
      assert.equal(copied.length, 0);
      // Any server runs one statement: the one that asks.
      await controlMigration(operator, { paused: false, limits: { threadsRunningMax: 0.5 } });
      await Promise.race([heldBack.promise, contracted]);
      await controlMigration(operator, { limits: { threadsRunningMax: 1_000 } });
      await contracted;
      assert.deepEqual(await visibilityById(db), migratedRows(rows));
    }));

if (testDialects.includes("postgresql"))
  test("controls: a batch that takes too long is given up and done in smaller parts (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db }) => {
      const many = 4_000;
      await fillNewton(db, many);
      await expand({ db, target: ocata });
      const { on, details } = listen(/given up/);
      // No server updates so many rows in 3 ms.
      const backfill = { batchRows: many, batchRowsMax: many, targetMs: 1 };
      assert.deepEqual(await migrate({ db, target: ocata, on, backfill }), {
        outcome: "migrated",
        rows: many,
        complete: true,
      });
      assert.match(details.join("; "), /a batch of 4000 rows took too long and was given up/);
      assert.deepEqual(await visibilityById(db), migratedRows(many));
    }));
