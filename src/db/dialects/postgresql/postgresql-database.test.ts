// PostgreSQL's driver against a real server: values both ways, failures by code, deadlocks, sessions, named locks, an end in good order.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isServiceError } from "../../../core/errors.ts";
import { withAdvisoryLock } from "../../advisory-lock.ts";
import { openDatabase } from "../../connect.ts";

import { otherBackends, skip, terminateOthers, withDatabase } from "./testing/own-database.ts";

test("postgresql: values arrive as they were sent, times as text", { skip }, async () => {
  await withDatabase(async (db) => {
    const text = "Grüße 'quoted' \\ ? % $1";
    await db.run("insert into t values (?, ?, ?, ?, ?)", [1, 2n ** 53n - 1n, text, "2026-11-23 05:54:06.25", true]);
    await db.run("insert into t values (2, ?, null, null, ?)", [2n ** 62n, false]);
    assert.deepEqual(await db.query("select * from t order by id"), [
      { id: 1, n: 2 ** 53 - 1, s: text, at: "2026-11-23 05:54:06.25", b: true },
      { id: 2, n: String(2n ** 62n), s: null, at: null, b: false },
    ]);
    assert.deepEqual(await db.query("select cast(? as bytea) as raw", [Uint8Array.of(0, 255)]), [
      { raw: Buffer.from([0, 255]) },
    ]);
    const same = await db.run("update t set b = true where id = 1");
    assert.equal(same.rowsAffected, 1, "rows that match count, changed or not");
    const [settings] = await db.query(
      "select current_setting('timezone') as z, current_setting('lock_timeout') as l, current_setting('transaction_isolation') as i, ? as said",
      ["it's ?"],
    );
    assert.deepEqual(settings, { z: "UTC", l: "10s", i: "read committed", said: "it's ?" });
  });
});

test("postgresql: times are the database's own clock, in the form its columns hold", { skip }, async () => {
  await withDatabase(async (db) => {
    const { nowSql, nowPlusSecondsSql, secondsSinceSql, encodeTime, decodeTime } = db.dialect;
    await db.run(`insert into t (id, at) values (1, ${nowSql}), (2, ${nowPlusSecondsSql})`, [-90]);
    const rows = await db.query<{ at: string; age: number }>(
      `select at, ${secondsSinceSql("at")} as age from t order by id`,
    );
    const [fresh, old] = rows;
    assert(fresh && old && fresh.age >= 0 && fresh.age < 60 && old.age >= 90 && old.age < 150, JSON.stringify(rows));
    const seen = Date.parse(decodeTime(fresh.at));
    assert(Math.abs(Date.now() - seen) < 60_000, fresh.at);
    assert.equal(decodeTime(encodeTime("2026-11-23T05:54:06Z")), "2026-11-23T05:54:06Z");
  });
});

test("postgresql: failures are told apart by code", { skip }, async () => {
  await withDatabase(async (db, url) => {
    await db.run("insert into t (id) values (1)");
    const failures: [string, string][] = [
      ["insert into t (id) values (1)", "db.duplicate"],
      ["insert into t (id, s) values (2, repeat('x', 101))", "db.integrity"],
      ["insert into t (id) values (null)", "db.integrity"],
      ["do $$ begin raise exception 'Invalid visibility value'; end $$", "db.integrity"],
      ["select nothing from t", "db.wrong_schema"],
      ["select id from nowhere", "db.wrong_schema"],
      ["drop index missing", "db.wrong_schema"],
      ["selec", "db.statement_failed"],
    ];
    for (const [sql, code] of failures)
      await assert.rejects(
        db.run(sql),
        (error) => isServiceError(error) && error.code === code && typeof error.facts.sqlState === "string",
        sql,
      );
    await assert.rejects(
      db.run("insert into t (id) values (1)"),
      (error) => isServiceError(error) && error.facts.key === "t_pkey",
    );
    const denied = url.replace("postgres@", "nobody@");
    await assert.rejects(openDatabase(denied), (error) => isServiceError(error, "db.access_denied"));
    await assert.rejects(openDatabase(`${url}_missing`), (error) => isServiceError(error, "db.wrong_schema"));
  });
});

test("postgresql: a transaction that loses a deadlock is run again, whole", { skip }, async () => {
  await withDatabase(async (db) => {
    await db.run("insert into t (id, n) values (1, 0), (2, 0)");
    let runs = 0;
    // Both hold their first row before either asks for its second.
    const met = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const cross = (first: number, second: number) =>
      db.transaction(async (tx) => {
        runs++;
        await tx.run("update t set n = n + 1 where id = ?", [first]);
        met[first - 1]?.resolve();
        await met[second - 1]?.promise;
        await tx.run("update t set n = n + 1 where id = ?", [second]);
      });
    await Promise.all([cross(1, 2), cross(2, 1)]);
    assert.equal(runs, 3, "one of the two ran twice");
    assert.deepEqual(await db.query("select n from t order by id"), [{ n: 2 }, { n: 2 }]);
  });
});

test("postgresql: a statement that was prepared survives a change of its table", { skip }, async () => {
  await withDatabase(
    async (db, _url, another) => {
      const changer = await another();
      await db.run("insert into t (id, n) values (1, 5)");
      const ask = () => db.query("select n from t where id = ?", [1]);
      const inTransaction = () => db.transaction((tx) => tx.query("select n from t where id = ?", [1]));
      for (let at = 0; at < 10; at++) assert.deepEqual(await ask(), [{ n: 5 }]);
      const prepared = await db.query(
        "select name from pg_prepared_statements where statement like 'select n from t%'",
      );
      assert.equal(prepared.length, 1, "what comes again and again is prepared");
      for (const [type, n] of [
        ["text", "5"],
        ["int", 5],
        ["text", "5"],
      ] as const) {
        await changer.run(`alter table t alter column n type ${type} using n::${type}`);
        assert.deepEqual([await inTransaction(), await ask()], [[{ n }], [{ n }]]);
      }
      await db.run("deallocate all");
      assert.deepEqual(await ask(), [{ n: "5" }]);
      await changer.run("alter table t drop column n");
      await assert.rejects(ask(), (error) => isServiceError(error, "db.wrong_schema"));
      await changer.run("alter table t add column n int default 6");
      assert.deepEqual(await ask(), [{ n: 6 }]);
    },
    { poolSizeMax: 1 },
  );
});

test("postgresql: tables that two make at once are made once, and neither fails", { skip }, async () => {
  await withDatabase(async (db, _url, another) => {
    const other = await another();
    for (let round = 0; round < 10; round++)
      await Promise.all(
        [db, other].map((one) => one.run(`create table if not exists made${round} (id bigserial primary key)`)),
      );
    assert.equal((await db.query("select tablename from pg_tables where tablename like 'made%'")).length, 10);
  });
});

test("postgresql: a transaction that lives on after a failure is no success", { skip }, async () => {
  await withDatabase(async (db) => {
    await db.run("insert into t (id) values (1)");
    const careless = db.transaction(async (tx) => {
      await tx.run("insert into t (id) values (2)");
      await tx.run("insert into t (id) values (1)").catch(() => undefined);
    });
    await assert.rejects(careless, /rolled back instead of committed/);
    assert.deepEqual(await db.query("select id from t"), [{ id: 1 }]);
  });
});

test("postgresql: a session carries out one statement after the other, even after a failure", { skip }, async () => {
  await withDatabase(async (db) => {
    await db.session(async (session) => {
      assert(session.connectionId);
      const results = await Promise.allSettled([
        session.query("select pg_sleep(0.02)"),
        session.query("selec"),
        session.run("set lock_timeout = 77; set statement_timeout = 0"),
        session.query("select current_setting('lock_timeout') as l, cast(? as int) as n", [5]),
      ]);
      assert.deepEqual(
        results.map((result) => result.status),
        ["fulfilled", "rejected", "fulfilled", "fulfilled"],
      );
      assert.deepEqual(await session.query("select current_setting('lock_timeout') as l"), [{ l: "77ms" }]);
    });
  });
});

test("postgresql: who waits for a connection longer than allowed is told so", { skip }, async () => {
  const options = {
    poolSizeMax: 1,
    poolWaitMsMax: 500,
    retry: { attemptsMax: 1, totalMsMax: 0, pauseMsMin: 1, pauseMsMax: 1 },
  };
  await withDatabase(async (db) => {
    const free = Promise.withResolvers<void>();
    const held = db.transaction(() => free.promise);
    await assert.rejects(
      db.query("select 1"),
      (error) => isServiceError(error, "db.unreachable") && /max_overflow/.test(error.message),
    );
    free.resolve();
    await held;
    assert.deepEqual(await db.query("select 1 as one"), [{ one: 1 }]);
  }, options);
});

test("postgresql: closing waits for work under way and leaves no connection", { skip }, async () => {
  await withDatabase(async (watcher, url) => {
    const db = await openDatabase(`${url}?application_name=closing`);
    const work = db.query("select 1 as one from pg_sleep(0.1)");
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([db.close(), db.close()]);
    assert.deepEqual(await work, [{ one: 1 }]);
    await assert.rejects(db.query("select 1"), /closed/);
    while ((await watcher.query(`${otherBackends} and application_name = 'closing'`)).length > 0)
      await new Promise((resolve) => setImmediate(resolve));
  });
});

test("postgresql: a named lock is one holder's, and free when its connection dies", { skip }, async () => {
  await withDatabase(async (db, _url, another) => {
    const other = await another();
    const lock = await db.acquireLock("engine", 0);
    await assert.rejects(
      other.acquireLock("engine", 0),
      (error) => isServiceError(error, "schema.locked") && /^backend \d+ of another process holds/.test(error.message),
    );
    await other.acquireLock("another", 0).then((free) => free.release());
    const aborted = new Promise((resolve) => lock.lost.addEventListener("abort", resolve, { once: true }));
    await terminateOthers(other);
    await aborted;
    assert.equal(await withAdvisoryLock(other, "engine", async (lost) => lost.aborted, { waitMsMax: 5_000 }), false);
    await lock.release();
    // Other databases of this server are other tests'.
    const [held] = await other.query<{ n: number }>(
      "select count(*) as n from pg_locks join pg_database on oid = database where locktype = 'advisory' and datname = current_database()",
    );
    assert.equal(held?.n, 0);
  });
});
