// PostgreSQL's driver when connections break, the server is away, or it only reads: what is repeated, what is told, and a pool that recovers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isServiceError } from "../../../core/errors.ts";
import { openDatabase } from "../../connect.ts";
import type { Database } from "../../database.ts";
import type { OpenOptions } from "../../open-options.ts";
import { testPostgresql } from "../../testing/databases.ts";
import { severableWay } from "../../testing/severable.ts";

import { skip, terminateOthers, withDatabase } from "./testing/own-database.ts";

/** Through a way that can be cut; `direct` is another. */
async function withSeverable(
  work: (db: Database, way: Awaited<ReturnType<typeof severableWay>>, direct: Database) => Promise<void>,
  options: OpenOptions = {},
) {
  await withDatabase(async (direct, url) => {
    const way = await severableWay((await testPostgresql()).port);
    const db = await openDatabase(url.replace(/:\d+\//, `:${way.port}/`), options);
    try {
      await work(db, way, direct);
    } finally {
      await way.restore().catch(() => undefined);
      await db.close();
      await way.sever();
    }
  });
}

test("postgresql: lost connections are replaced, and nobody notices", { skip }, async () => {
  await withDatabase(async (db, _url, another) => {
    const killer = await another();
    await Promise.all(Array.from({ length: 4 }, () => db.query("select pg_sleep(0.05)")));
    await terminateOthers(killer);
    await db.transaction((tx) => tx.run("insert into t (id) values (7)"));
    assert.deepEqual(await db.query("select id from t"), [{ id: 7 }]);
    // In the middle of a read, of a transaction, and of a lone write: the server says that it was undone.
    const work = [
      db.query("select pg_sleep(0.4)"),
      db.transaction(async (tx) => {
        await tx.run("insert into t (id) values (8)");
        await tx.query("select pg_sleep(0.4)");
      }),
      db.run("insert into t (id) select 9 from pg_sleep(0.4)"),
    ];
    for (let killed = 0; killed < 3; )
      killed += await terminateOthers(killer, " and state = 'active' and query like '%pg_sleep(0.4)%'");
    await Promise.all(work);
    assert.deepEqual(await db.query("select id from t order by id"), [{ id: 7 }, { id: 8 }, { id: 9 }]);
  });
});

test("postgresql: while the server is away work waits, and goes on when it is back", { skip }, async () => {
  await withSeverable(async (db, way) => {
    await db.run("insert into t (id) values (1)");
    await way.sever();
    const work = [
      db.query("select id from t"),
      db.run("insert into t (id) values (2)"),
      db.transaction((tx) => tx.run("insert into t (id) values (3)")),
    ];
    await assert.rejects(openDatabase("postgresql://postgres@127.0.0.1:1/glance"), (error) =>
      isServiceError(error, "db.unreachable"),
    );
    await way.restore();
    await Promise.all(work);
    assert.equal((await db.query("select id from t")).length, 3);
  });
});

test("postgresql: a server that stays away ends in db.unreachable, in bounded time", { skip }, async () => {
  const retry = { attemptsMax: 4, totalMsMax: 500, pauseMsMin: 5, pauseMsMax: 20 };
  await withSeverable(
    async (db, way) => {
      await way.sever();
      const unreachable = (error: unknown) =>
        isServiceError(error, "db.unreachable") && error.facts.outcome === undefined;
      await assert.rejects(db.query("select 1"), unreachable);
      await assert.rejects(
        db.transaction((tx) => tx.run("insert into t (id) values (1)")),
        unreachable,
      );
    },
    { retry },
  );
});

test("postgresql: a write whose answer was lost is not made twice", { skip }, async () => {
  await withSeverable(async (db, way, direct) => {
    await db.run("insert into t (id, n) values (1, 0)");
    // The statement reaches the server, the answer nobody.
    const reached = Promise.withResolvers<void>();
    way.onData = (chunk) => {
      if (chunk.includes("set n = n + 1")) reached.resolve();
    };
    const lost = (error: unknown) => isServiceError(error, "db.unreachable") && error.facts.outcome === "unknown";
    const writing = assert.rejects(db.run("update t set n = n + 1 from pg_sleep(0.2) where id = 1"), lost);
    await reached.promise;
    await way.sever();
    await way.restore();
    await writing;
    const [row] = await direct.query<{ n: number }>("select n from t where id = 1");
    assert((row?.n ?? 9) <= 1);
  });
});

test("postgresql: a server that only reads now is asked again on another connection", { skip }, async () => {
  await withDatabase(async (db, url, another) => {
    const name = new URL(url).pathname.slice(1);
    const admin = await another();
    await admin.run(`alter database ${name} set default_transaction_read_only = on`);
    const standby = await another({ retry: { attemptsMax: 1_000, totalMsMax: 20_000, pauseMsMin: 1, pauseMsMax: 10 } });
    const written = standby.run("insert into t (id) values (1)");
    await admin.run(`alter database ${name} reset default_transaction_read_only`);
    assert.deepEqual(await written, { rowsAffected: 1 });
    await assert.rejects(
      db.session(async (session) => {
        await session.run("set default_transaction_read_only = on");
        await session.run("insert into t (id) values (2)");
      }),
      (error) => isServiceError(error, "db.unreachable") && error.facts.outcome === undefined,
    );
  });
});
