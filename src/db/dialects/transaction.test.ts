import assert from "node:assert/strict";
import { test } from "node:test";
import { isServiceError, ServiceError } from "../../core/errors.ts";
import { runTransaction, type TransactionConnection } from "./transaction.ts";

/** Writes down what it is asked to do; `failing` statements throw. */
function recording(failing: Readonly<Record<string, Error>> = {}) {
  const log: string[] = [];
  const act = async (what: string) => {
    log.push(what);
    if (failing[what]) throw failing[what];
  };
  const connection: TransactionConnection = {
    query: async (sql) => {
      await act(sql);
      return [];
    },
    run: async (sql) => {
      await act(sql);
      return { rowsAffected: 1 };
    },
    begin: () => act("begin"),
    commit: () => act("commit"),
    rollback: () => act("rollback"),
  };
  return { log, connection };
}

const deadlock = new ServiceError("db.conflict", "deadlock");
const lost = new ServiceError("db.unreachable", "lost", { facts: { outcome: "unknown", errno: 1 } });

test("transaction: commits what was done, rolls back what threw", async () => {
  const good = recording();
  assert.equal(await runTransaction(good.connection, async (tx) => (await tx.run("a")).rowsAffected), 1);
  assert.deepEqual(good.log, ["begin", "a", "commit"]);
  const bad = recording();
  await assert.rejects(
    runTransaction(bad.connection, async (tx) => {
      await tx.run("a");
      throw new Error("no");
    }),
    /no/,
  );
  assert.deepEqual(bad.log, ["begin", "a", "rollback"]);
});

test("transaction: after a deadlock nothing more gets through, even if the work carries on", async () => {
  const { log, connection } = recording({ a: deadlock });
  await assert.rejects(
    runTransaction(connection, async (tx) => {
      await tx.run("a").catch(() => undefined);
      await tx.run("b").catch(() => undefined);
      return "carried on";
    }),
    deadlock,
  );
  assert.deepEqual(log, ["begin", "a", "rollback"]);
});

test("transaction: a duplicate that the work expects does not end it", async () => {
  const { log, connection } = recording({ a: new ServiceError("db.duplicate", "twice") });
  await runTransaction(connection, async (tx) => {
    await tx.run("a").catch(() => undefined);
    await tx.run("b");
  });
  assert.deepEqual(log, ["begin", "a", "b", "commit"]);
});

test("transaction: a connection lost before COMMIT is known to have changed nothing, one lost in COMMIT is not", async () => {
  for (const failing of ["begin", "a"])
    await assert.rejects(
      runTransaction(recording({ [failing]: lost }).connection, (tx) => tx.run("a")),
      (error) =>
        isServiceError(error, "db.unreachable") && error.facts.outcome === undefined && error.facts.errno === 1,
    );
  const during = recording({ commit: lost });
  await assert.rejects(
    runTransaction(during.connection, (tx) => tx.run("a")),
    (error) => isServiceError(error, "db.unreachable") && error.facts.outcome === "unknown",
  );
});

test("transaction: a statement after the end is a mistake that shows", async () => {
  const { connection } = recording();
  const late = await runTransaction(connection, async (tx) => () => tx.run("late"));
  await assert.rejects(late(), TypeError);
});
