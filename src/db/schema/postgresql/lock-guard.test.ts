// Schema changes beside a transaction that somebody left open: nobody is held up for long, whoever is in the way is named, and the
// change comes through when the transaction ends. Real server, real locks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../../test/servers/eventually.ts";
import { startPostgresql } from "../../../../test/servers/postgresql.ts";
import { isServiceError, type ServiceError } from "../../../core/errors.ts";
import { releaseOf } from "../../../releases/catalogue.ts";
import { openDatabase } from "../../connect.ts";
import { testDialects, withTestDatabase } from "../../testing/databases.ts";
import { contract } from "../contract.ts";
import type { EngineOptions } from "../engine-run.ts";
import { expand } from "../expand.ts";
import { migrate } from "../migrate.ts";
import { revert } from "../revert.ts";
import { readLiveSchema } from "../schema-tools.ts";
import { sync } from "../sync.ts";
import { fillNewton } from "../testing/rows.ts";
import { longestStall, lookingBack, readingImages, withOpenTransaction } from "./testing/open-transaction.ts";

const ocata = releaseOf("ocata");
const newton = releaseOf("newton");
const rows = 50;
/** The guard's own limit is 200 ms; a busy test machine gets some more. */
const stallMsMax = 450;

async function blockedBy(act: () => Promise<unknown>): Promise<ServiceError> {
  try {
    await act();
  } catch (error) {
    assert(isServiceError(error, "schema.blocked"), String(error));
    return error;
  }
  assert.fail("it came through");
}

/** Runs `act`, and calls `end` as soon as it waits for somebody. */
async function endWhenWaiting(act: (on: EngineOptions["on"]) => Promise<unknown>, end: () => void): Promise<void> {
  const waiting = Promise.withResolvers<void>();
  const done = act((event) => event.event === "step" && event.status === "waiting" && waiting.resolve());
  await Promise.race([waiting.promise, done]);
  end();
  await done;
}

if (testDialects.includes("postgresql")) {
  for (const [what, statements] of [
    ["has read the table", readingImages],
    ["looks back at the rows", lookingBack],
  ] as const)
    test(`lock guard: a transaction that ${what} is named when the budget ends, and held nobody up (postgresql)`, () =>
      withTestDatabase("postgresql", "newton", async ({ db, another }) => {
        await fillNewton(db, rows);
        const other = await another();
        await withOpenTransaction(other, statements, async (end, pid) => {
          let failure: ServiceError | undefined;
          const longestMs = await longestStall(other, rows, async () => {
            failure = await blockedBy(() => expand({ db, target: ocata, limits: { lockBudgetMs: 4_000 } }));
          });
          assert.equal(failure?.facts.process, pid);
          assert.match(failure?.message ?? "", new RegExp(`process ${pid} \\(postgres@.*idle in its transaction`));
          assert(longestMs < stallMsMax, `an update was held up for ${Math.round(longestMs)} ms`);
          // The same command, and this time the transaction ends under way.
          const againMs = await longestStall(other, rows, () =>
            endWhenWaiting((on = () => undefined) => expand({ db, target: ocata, on }), end),
          );
          assert(againMs < stallMsMax, `an update was held up for ${Math.round(againMs)} ms`);
          assert((await readLiveSchema(db)).hasIndex("images", "visibility_image_idx"));
        });
      }));

  test("lock guard: revert and contract hold nobody up beside an open transaction either (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db, another }) => {
      await fillNewton(db, rows);
      const other = await another();
      const beside = (act: (on: EngineOptions["on"]) => Promise<unknown>) =>
        withOpenTransaction(other, readingImages, async (end) => {
          const ms = await longestStall(other, rows, () => endWhenWaiting(act, end));
          assert(ms < stallMsMax, `an update was held up for ${Math.round(ms)} ms`);
        });
      await expand({ db, target: ocata });
      await migrate({ db, target: ocata });
      await beside((on = () => undefined) => revert({ db, target: newton, on }));
      await expand({ db, target: ocata });
      await migrate({ db, target: ocata });
      await beside((on = () => undefined) => contract({ db, target: ocata, on }));
      assert(!(await readLiveSchema(db)).hasColumn("images", "is_public"));
    }));

  test("lock guard: a prepared transaction is named by its name (postgresql)", async () => {
    const server = await startPostgresql({ settings: ["max_prepared_transactions=5"] });
    const db = await openDatabase(await server.createDatabase());
    try {
      await sync({ db, target: newton });
      await db.session((session) =>
        session.run("BEGIN; SELECT COUNT(*) FROM images; PREPARE TRANSACTION 'left-behind'"),
      );
      const failure = await blockedBy(() => expand({ db, target: ocata, limits: { lockBudgetMs: 3_000 } }));
      assert.match(failure.message, /prepared transaction left-behind \(postgres@.*ROLLBACK PREPARED/);
      assert.equal(failure.facts.transaction, "left-behind");
      await db.run("ROLLBACK PREPARED 'left-behind'");
      assert.equal((await expand({ db, target: ocata })).outcome, "expanded");
    } finally {
      await db.close();
      await server.stop();
    }
  });

  test("lock guard: an autovacuum on the table is sent away, and nobody waits behind us meanwhile (postgresql)", async () => {
    const server = await startPostgresql({ settings: ["autovacuum_naptime=1"] });
    const db = await openDatabase(await server.createDatabase());
    try {
      await sync({ db, target: newton });
      await fillNewton(db, 2_000);
      // Such a worker is at this table for minutes.
      await db.run("ALTER TABLE images SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0)");
      await db.run("ALTER TABLE images SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)");
      await db.run("UPDATE images SET size = 1");
      const isVacuumed = async () => {
        const rows = await db.query("SELECT 1 AS one FROM pg_stat_progress_vacuum WHERE relid = 'images'::regclass");
        return rows.length > 0;
      };
      await eventually("an autovacuum works on images", isVacuumed, { msMax: 60_000 });
      const longestMs = await longestStall(db, rows, () => expand({ db, target: ocata }));
      assert(longestMs < stallMsMax, `an update was held up for ${Math.round(longestMs)} ms`);
      assert((await readLiveSchema(db)).hasTrigger("update_visibility"));
    } finally {
      await db.close();
      await server.stop();
    }
  });
}
