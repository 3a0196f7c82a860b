// What a server's database repeats besides statements: taking a lock, of which nothing is left when the try has failed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isServiceError, ServiceError } from "../../core/errors.ts";
import type { AdvisoryLock } from "../database.ts";
import { withDefaults } from "../open-options.ts";
import { mysqlDialect } from "./mysql/mysql-dialect.ts";
import { type ServerConnection, ServerDatabase } from "./server-database.ts";

const lock: AdvisoryLock = { lost: new AbortController().signal, release: async () => undefined };

/** A server whose first locks end as said, and whose next one is given. */
function locking(failures: readonly ServiceError[]) {
  const opened: ServerConnection[] = [];
  const left = [...failures];
  const db = new ServerDatabase<ServerConnection>(
    {
      dialect: mysqlDialect,
      async open() {
        const connection = {} as ServerConnection;
        opened.push(connection);
        return connection;
      },
      async acquireLock() {
        const failure = left.shift();
        if (failure) throw failure;
        return lock;
      },
    },
    withDefaults({ retry: { attemptsMax: 5, totalMsMax: 60_000, pauseMsMin: 1, pauseMsMax: 1 } }),
  );
  return { db, opened };
}

const failure = (code: ErrorCode, facts = {}) => new ServiceError(code, `${code} in the test`, { facts });

test("lock: a lock wait or a lost connection is tried again, each time on a connection of its own", async () => {
  const conflict = failure("db.conflict", { errno: 1205 });
  const lost = failure("db.unreachable", { outcome: "unknown" });
  const { db, opened } = locking([conflict, lost, conflict]);
  assert.equal(await db.acquireLock("rollout", 0), lock);
  assert.equal(new Set(opened).size, 4);
});

test("lock: one that another process holds is refused at once", async () => {
  const { db, opened } = locking([failure("schema.locked")]);
  await assert.rejects(db.acquireLock("rollout", 0), (error) => isServiceError(error, "schema.locked"));
  assert.equal(opened.length, 1);
});

test("lock: a lock wait that does not end is told in the end", async () => {
  const { db, opened } = locking(Array.from({ length: 9 }, () => failure("db.conflict", { errno: 1205 })));
  await assert.rejects(db.acquireLock("rollout", 0), (error) => isServiceError(error, "db.conflict"));
  assert.equal(opened.length, 5);
});
