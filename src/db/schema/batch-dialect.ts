// What the batches of a data migration need of each dialect: row locks that wait for nobody, and how busy the server is.
import type { Database, Dialect, Queryable } from "../database.ts";
import { readPressure } from "./mysql/pressure.ts";
import { isAtLeast, readServer } from "./mysql/server.ts";
import { limitBatch, readPressure as readPostgresqlPressure } from "./postgresql/batch.ts";

export type BatchDialect = {
  /** First in each batch's transaction. */
  begin(tx: Queryable): Promise<{ lockFreeRows: string }>;
  /** Why the server should be left alone for a moment, or null. */
  pressure(threadsRunningMax: number): Promise<string | null>;
  /** Pause after each batch, as a part of the time it took. */
  readonly pauseRatio: number;
};

const makers: Record<Dialect["name"], (db: Database) => Promise<BatchDialect>> = {
  async mysql(db) {
    // A row that somebody's transaction holds is left for later: waiting for it would make others wait for the rest of the batch.
    const skips = isAtLeast(await readServer(db), [10, 6], [8, 0, 1]);
    return {
      async begin(tx) {
        if (skips) return { lockFreeRows: "FOR UPDATE SKIP LOCKED" };
        await tx.run("SET SESSION innodb_lock_wait_timeout = 1");
        return { lockFreeRows: "FOR UPDATE" };
      },
      pressure: (threadsRunningMax) => readPressure(db, threadsRunningMax),
      pauseRatio: 0,
    };
  },
  async postgresql(db) {
    return {
      async begin(tx) {
        await limitBatch(tx);
        // Not FOR UPDATE: whoever adds a property, a location or a member only asks that the image's key stays, and need not wait.
        return { lockFreeRows: "FOR NO KEY UPDATE SKIP LOCKED" };
      },
      pressure: (threadsRunningMax) => readPostgresqlPressure(db, threadsRunningMax),
      pauseRatio: 0,
    };
  },
  sqlite: async () => ({
    begin: async () => ({ lockFreeRows: "" }),
    pressure: async () => null,
    pauseRatio: 1,
  }),
};

export function batchDialectOf(db: Database): Promise<BatchDialect> {
  return makers[db.dialect.name](db);
}
