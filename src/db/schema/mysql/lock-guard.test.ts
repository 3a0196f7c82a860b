// Schema changes beside a transaction that somebody left open: nobody is held up for long, whoever is in the way is named, and the
// change comes through when the transaction ends. Real server, real locks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../../core/clock.ts";
import { isServiceError, type ServiceError } from "../../../core/errors.ts";
import { releaseOf } from "../../../releases/catalogue.ts";
import type { Database } from "../../database.ts";
import { testDialects, withTestDatabase } from "../../testing/databases.ts";
import { expand } from "../expand.ts";
import { readLiveSchema } from "../schema-tools.ts";
import { fillNewton, idOf } from "../testing/rows.ts";
import { runGuarded, tryWithoutWaiting } from "./lock-guard.ts";

const ocata = releaseOf("ocata");
/** The guard's own limit is 200 ms; a busy test machine gets some more. */
const stallMsMax = 450;

/** Holds a transaction that has read the table, until the function it gives `work` is called. */
async function withOpenTransaction<T>(
  db: Database,
  work: (end: () => void, threadId: number) => Promise<T>,
): Promise<T> {
  const ended = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<number>();
  const holding = db.session(async (session) => {
    await session.run("BEGIN");
    await session.query("SELECT COUNT(*) FROM images WHERE id = 'none'");
    begun.resolve(session.connectionId ?? 0);
    await ended.promise;
    await session.run("ROLLBACK");
  });
  holding.catch(begun.reject);
  try {
    return await work(() => ended.resolve(), await begun.promise);
  } finally {
    ended.resolve();
    await holding;
  }
}

/** Updates rows one by one while `work` runs; the longest of these took so many milliseconds. */
async function longestStall(db: Database, work: () => Promise<unknown>): Promise<number> {
  let running = true;
  let longestMs = 0;
  const updating = db.session(async (session) => {
    for (let n = 0; running; n++) {
      const startMs = performance.now();
      await session.run("UPDATE images SET size = size + 1, updated_at = NOW() WHERE id = ?", [idOf(n % 50)]);
      longestMs = Math.max(longestMs, performance.now() - startMs);
      await systemClock.sleep(2);
    }
  });
  try {
    await work();
  } finally {
    running = false;
    await updating;
  }
  return longestMs;
}

if (testDialects.includes("mysql")) {
  test("lock guard: an open transaction is named when the budget ends, and held nobody up", () =>
    withTestDatabase("mysql", "newton", async ({ db, another }) => {
      await fillNewton(db, 50);
      const other = await another();
      await withOpenTransaction(other, async (end, threadId) => {
        let failure: ServiceError | undefined;
        const longestMs = await longestStall(other, async () => {
          try {
            await expand({ db, target: ocata, limits: { lockBudgetMs: 4_000 } });
          } catch (error) {
            assert(isServiceError(error, "schema.blocked"), String(error));
            failure = error;
          }
        });
        assert.equal(failure?.facts.thread, threadId);
        assert.match(failure?.message ?? "", new RegExp(`thread ${threadId} \\(root@.*idle in its transaction`));
        assert(longestMs < stallMsMax, `an update was held up for ${Math.round(longestMs)} ms`);
        assert(!(await readLiveSchema(db)).hasColumn("images", "visibility"), "nothing was changed");
        // The same command, and this time the transaction ends under way.
        const longestAgainMs = await longestStall(other, async () => {
          const waiting = Promise.withResolvers<void>();
          const done = expand({
            db,
            target: ocata,
            on: (event) => event.event === "step" && event.status === "waiting" && waiting.resolve(),
          });
          await Promise.race([waiting.promise, done]);
          end();
          assert.equal((await done).outcome, "expanded");
        });
        assert(longestAgainMs < stallMsMax, `an update was held up for ${Math.round(longestAgainMs)} ms`);
      });
    }));

  test("lock guard: a statement that waits is interrupted at its limit, and the session goes on", () =>
    withTestDatabase("mysql", "newton", ({ db, another }) =>
      db.session((session) =>
        db.session(async (watcher) => {
          await withOpenTransaction(await another(), async () => {
            const sql = "ALTER TABLE images ADD INDEX perennial_try (size), ALGORITHM=NOCOPY, LOCK=NONE";
            const startMs = performance.now();
            const result = await runGuarded(session, watcher, sql, 200);
            assert.equal(result.outcome, "gave_way");
            assert(performance.now() - startMs < stallMsMax * 2, "in time");
            assert.equal(await tryWithoutWaiting(session, sql), false);
            assert.deepEqual(await session.query("SELECT 1 AS one"), [{ one: 1 }]);
            assert(!(await readLiveSchema(db)).hasIndex("images", "perennial_try"));
          });
          assert.equal(await tryWithoutWaiting(session, "ALTER TABLE images ADD INDEX perennial_try (size)"), true);
          await assert.rejects(tryWithoutWaiting(session, "ALTER TABLE images ADD INDEX perennial_try (size)"), {
            code: "db.statement_failed",
          });
        }),
      ),
    ));
}
