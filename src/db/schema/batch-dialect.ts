// What the batches of a data migration need of each dialect: row locks that wait for nobody, and how busy the server is.
import type { Database, Dialect, Queryable } from "../database.ts";
import type { BackfillLimits } from "./backfill-limits.ts";
import { pressureReader, readReplicaLag } from "./mysql/pressure.ts";
import { isAtLeast, readServer } from "./mysql/server.ts";
import {
  limitBatch,
  readReplicaLag as readPostgresqlLag,
  readPressure as readPostgresqlPressure,
  tookTooLong,
} from "./postgresql/batch.ts";

export type BatchDialect = {
  /** First in each batch's transaction. `statementMsMax`: after this a statement is given up, where the server can; null: never. */
  begin(tx: Queryable, statementMsMax: number | null): Promise<{ lockFreeRows: string }>;
  /** The batch was given up for that; it has changed nothing. */
  tookTooLong(error: unknown): boolean;
  /** Why the server should be left alone for a moment, or null. */
  pressure(limits: BackfillLimits): Promise<string | null>;
  /** How far `replica` is behind; null where it does not replicate. Throws db errors. */
  replicaLag(replica: Queryable): Promise<number | null>;
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
      tookTooLong: () => false,
      pressure: pressureReader(db),
      replicaLag: readReplicaLag,
      pauseRatio: 0,
    };
  },
  async postgresql(db) {
    return {
      async begin(tx, statementMsMax) {
        await limitBatch(tx, statementMsMax);
        // Not FOR UPDATE: whoever adds a property, a location or a member only asks that the image's key stays, and need not wait.
        return { lockFreeRows: "FOR NO KEY UPDATE SKIP LOCKED" };
      },
      tookTooLong,
      pressure: (limits) => readPostgresqlPressure(db, limits),
      replicaLag: readPostgresqlLag,
      pauseRatio: 0,
    };
  },
  sqlite: async () => ({
    begin: async () => ({ lockFreeRows: "" }),
    tookTooLong: () => false,
    pressure: async () => null,
    replicaLag: async () => null,
    pauseRatio: 1,
  }),
};

export function batchDialectOf(db: Database): Promise<BatchDialect> {
  return makers[db.dialect.name](db);
}
