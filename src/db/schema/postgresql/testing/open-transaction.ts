// For tests: a transaction that somebody left open, and single-row updates that tell how long others were held up.
import { systemClock } from "../../../../core/clock.ts";
import type { Database } from "../../../database.ts";
import { idOf } from "../../testing/rows.ts";

/** Opens a transaction by these statements and holds it until `end` is called; `pid` is its backend. */
export async function withOpenTransaction<T>(
  db: Database,
  statements: readonly string[],
  work: (end: () => void, pid: number) => Promise<T>,
): Promise<T> {
  const ended = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<number>();
  const holding = db.session(async (session) => {
    for (const sql of statements) await session.run(sql);
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

/** A transaction that has read the table. */
export const readingImages = ["BEGIN", "SELECT COUNT(*) FROM images WHERE id = 'none'"] as const;
/** A transaction that touches no table, and looks at all of them as they were. */
export const lookingBack = ["BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1"] as const;

/** Updates rows one by one while `work` runs; the longest of these took so many milliseconds. */
export async function longestStall(db: Database, rows: number, work: () => Promise<unknown>): Promise<number> {
  let running = true;
  let longestMs = 0;
  const updating = db.session(async (session) => {
    for (let n = 0; running; n++) {
      const startMs = performance.now();
      await session.run("UPDATE images SET size = size + 1 WHERE id = ?", [idOf(n % rows)]);
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
