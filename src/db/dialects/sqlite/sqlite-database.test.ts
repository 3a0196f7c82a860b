// SQLite's driver with real files, threads and neighbours: a busy file, a schema that changes under us, several processes, named locks.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isServiceError } from "../../../core/errors.ts";
import { withAdvisoryLock } from "../../advisory-lock.ts";
import { openDatabase } from "../../connect.ts";
import type { Database } from "../../database.ts";
import type { OpenOptions } from "../../open-options.ts";
import { testDialects } from "../../testing/databases.ts";

const skip = !testDialects.includes("sqlite");
const neighbourFile = fileURLToPath(new URL("../../testing/sqlite-neighbour.ts", import.meta.url));

const turns = 10;
/** It is 5 to 15 where one looks each millisecond; looking ever more seldom made it some 900. */
const writtenPerTurnMax = 75;

type Neighbour = { readonly process: ChildProcess; exec(sql: string): Promise<string> };

async function withDatabase(
  work: (tools: {
    db: Database;
    path: string;
    another: () => Promise<Database>;
    neighbour: () => Promise<Neighbour>;
  }) => Promise<void>,
  options: OpenOptions = {},
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "perennial-sqlite-"));
  const path = join(folder, "glance.sqlite");
  const opened: Database[] = [];
  const neighbours: ChildProcess[] = [];
  const open = async () => {
    const db = await openDatabase(`sqlite:///${path}`, options);
    opened.push(db);
    return db;
  };
  try {
    const db = await open();
    await db.run("create table t (id integer primary key, n integer, s text)");
    const neighbour = async () => {
      const child = spawn(process.execPath, [neighbourFile, path], { stdio: ["pipe", "pipe", "inherit"] });
      neighbours.push(child);
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const answer = async () => String((await lines.next()).value);
      assert.equal(await answer(), "ready");
      return {
        process: child,
        async exec(sql: string) {
          child.stdin.write(`${sql}\n`);
          return await answer();
        },
      };
    };
    await work({ db, path, another: open, neighbour });
  } finally {
    for (const child of neighbours)
      if (child.exitCode === null && child.signalCode === null) {
        child.stdin?.end();
        await once(child, "exit");
      }
    for (const db of opened) await db.close();
    await rm(folder, { recursive: true, force: true });
  }
}

test("sqlite: values arrive as they were sent", { skip }, async () => {
  await withDatabase(async ({ db }) => {
    await db.run("insert into t values (?, ?, ?)", [1, 2n ** 50n, "Grüße 'x' ?"]);
    await db.run("insert into t values (?, ?, ?)", [2, true, null]);
    assert.deepEqual(await db.query("select id, n, s from t order by id"), [
      { id: 1, n: 2 ** 50, s: "Grüße 'x' ?" },
      { id: 2, n: 1, s: null },
    ]);
    assert.equal((await db.run("update t set s = s")).rowsAffected, 2);
    assert.deepEqual(await db.query("pragma journal_mode"), [{ journal_mode: "wal" }]);
    assert.deepEqual(await db.query("pragma foreign_keys"), [{ foreign_keys: 1 }]);
  });
});

test("sqlite: failures are told apart by code", { skip }, async () => {
  await withDatabase(async ({ db }) => {
    await db.run("create unique index u on t (s)");
    await db.run("create table child (id integer references t (id), s text not null)");
    await db.run("insert into t values (1, 1, 'a')");
    const failures: [string, string][] = [
      ["insert into t values (1, 1, 'b')", "db.duplicate"],
      ["insert into t values (2, 1, 'a')", "db.duplicate"],
      ["insert into child values (9, 'x')", "db.integrity"],
      ["insert into child values (1, null)", "db.integrity"],
      ["update t set missing = 1", "db.wrong_schema"],
      ["select id from nowhere", "db.wrong_schema"],
      ["select id from t indexed by missing", "db.wrong_schema"],
      ["selec", "db.statement_failed"],
    ];
    for (const [sql, code] of failures)
      await assert.rejects(db.run(sql), (error) => isServiceError(error) && error.code === code, sql);
    await assert.rejects(db.query("insert into t values (3, 3, 'c')"), "a query does not write");
  });
});

test("sqlite: while another process writes, readers go on and writers wait for it", { skip }, async () => {
  await withDatabase(async ({ db, neighbour }) => {
    const other = await neighbour();
    assert.equal(await other.exec("begin immediate; insert into t values (1, 1, 'other')"), "done");
    let written = false;
    const writing = Promise.all([
      db.run("insert into t values (2, 2, 'ours')"),
      db.transaction((tx) => tx.run("insert into t values (3, 3, 'ours')")),
    ]).then(() => {
      written = true;
    });
    assert.deepEqual(await db.query("select id from t"), []);
    assert.equal(written, false);
    assert.equal(await other.exec("commit"), "done");
    await writing;
    assert.deepEqual(await db.query("select id from t order by id"), [{ id: 1 }, { id: 2 }, { id: 3 }]);
  });
});

test("sqlite: a file that stays busy ends in db.conflict, in bounded time", { skip }, async () => {
  const retry = { attemptsMax: 1, totalMsMax: 0, pauseMsMin: 1, pauseMsMax: 1 };
  await withDatabase(
    async ({ db, neighbour }) => {
      const other = await neighbour();
      await other.exec("begin immediate");
      await assert.rejects(db.run("insert into t values (1, 1, 'x')"), (error) => isServiceError(error, "db.conflict"));
      await other.exec("rollback");
      await db.run("insert into t values (1, 1, 'x')");
    },
    { retry },
  );
});

test("sqlite: transactions of many processes and tasks lose nothing", { skip }, async () => {
  await withDatabase(async ({ db, another }) => {
    const others = [db, await another(), await another()];
    await db.run("insert into t values (1, 0, '')");
    const add = (to: Database) =>
      to.transaction(async (tx) => {
        const [row] = await tx.query<{ n: number }>("select n from t where id = 1");
        await tx.run("update t set n = ? where id = 1", [(row?.n ?? 0) + 1]);
      });
    await Promise.all(others.flatMap((to) => Array.from({ length: 15 }, () => add(to))));
    assert.deepEqual(await db.query("select n from t"), [{ n: 45 }]);
  });
});

test("sqlite: whoever waits gets a turn soon, though another writes without a pause", { skip }, async () => {
  await withDatabase(async ({ db, another }) => {
    const late = await another();
    let written = 0;
    let stopped = false;
    let committed = Promise.withResolvers<void>();
    const busy = (async () => {
      while (!stopped) {
        await db.transaction(async (tx) => {
          for (let n = 0; n < 40; n++) await tx.run("insert into t (n) values (?)", [n]);
        });
        written++;
        committed.resolve();
      }
    })();
    busy.catch((error: unknown) => committed.reject(error));
    try {
      let came = 0;
      for (let turn = 0; turn < turns; turn++) {
        // The other one is at work again by then, and the file is free for the moment between two of its transactions only.
        committed = Promise.withResolvers<void>();
        await committed.promise;
        const before = written;
        await late.run("insert into t (n) values (?)", [turn]);
        came += written - before;
      }
      assert(came <= turns * writtenPerTurnMax, `${came} transactions came before ${turns} turns`);
    } finally {
      stopped = true;
      await busy;
    }
  });
});

test("sqlite: a schema that another process changes is seen at the next statement", { skip }, async () => {
  await withDatabase(async ({ db, neighbour }) => {
    const select = "select id, n from t where id = ?";
    const insert = "insert into t (id, n) values (?, ?)";
    await db.run(insert, [1, 1]);
    assert.deepEqual(await db.query(select, [1]), [{ id: 1, n: 1 }]);
    const other = await neighbour();
    await other.exec("alter table t add column extra text not null default 'e'; create index i on t (n)");
    await db.run(insert, [2, 2]);
    assert.deepEqual(await db.query(select, [2]), [{ id: 2, n: 2 }]);
    assert.deepEqual(await db.query("select extra from t indexed by i where n = 2"), [{ extra: "e" }]);
    await other.exec("alter table t drop column extra; drop index i");
    await db.run(insert, [3, 3]);
    await assert.rejects(db.query("select extra from t"), (error) => isServiceError(error, "db.wrong_schema"));
    assert.deepEqual(await db.query(select, [3]), [{ id: 3, n: 3 }]);
  });
});

test("sqlite: a killed neighbour leaves nothing half done and no lock", { skip }, async () => {
  await withDatabase(async ({ db, neighbour }) => {
    const other = await neighbour();
    await other.exec("begin immediate; insert into t values (1, 1, 'lost')");
    other.process.kill("SIGKILL");
    await once(other.process, "exit");
    await db.run("insert into t values (2, 2, 'ours')");
    assert.deepEqual(await db.query("select id from t"), [{ id: 2 }]);
  });
});

test("sqlite: a session changes the schema in a transaction, and may edit sqlite_schema", { skip }, async () => {
  await withDatabase(async ({ db }) => {
    await db.run("create table strict (id integer, flag boolean not null)");
    await db.session(async (session) => {
      await session.run("begin immediate");
      await session.run("create table fresh (id integer)");
      await session.run("pragma writable_schema = on");
      await session.run("update sqlite_schema set sql = replace(sql, ' not null', '') where name = 'strict'");
      await session.run("pragma writable_schema = reset");
      await session.run("commit");
    });
    await db.run("insert into strict values (1, null)");
    await assert.rejects(
      db.session(async (session) => {
        await session.run("begin immediate");
        await session.run("drop table fresh");
        throw new Error("given up");
      }),
      /given up/,
    );
    assert.deepEqual(await db.query("select id from fresh"), []);
  });
});

test("sqlite: a named lock is one holder's, and free when its process dies", { skip }, async () => {
  await withDatabase(async ({ db, path, another, neighbour }) => {
    const other = await another();
    const inside = await withAdvisoryLock(
      db,
      "engine",
      async () =>
        await other.acquireLock("engine", 60).then(
          () => "two holders",
          (error: unknown) => isServiceError(error, "schema.locked"),
        ),
      { waitMsMax: 0 },
    );
    assert.equal(inside, true);
    const holder = await neighbour();
    assert.equal(await holder.exec(`attach '${path}.engine.lock' as l; begin exclusive`), "done");
    const waiting = other.acquireLock("engine", 20_000);
    await assert.rejects(db.acquireLock("engine", 0), (error) => isServiceError(error, "schema.locked"));
    holder.process.kill("SIGKILL");
    await (await waiting).release();
  });
});

test("sqlite: what is no database is named, and closing is safe twice", { skip }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "perennial-sqlite-"));
  try {
    const file = join(folder, "text");
    await writeFile(file, "this is no database, and long enough to look like one that is damaged".repeat(20));
    for (const url of [`sqlite:///${file}`, `sqlite:///${folder}/missing/glance.sqlite`, `sqlite:///${folder}`])
      await assert.rejects(openDatabase(url), (error) => isServiceError(error, "db.unreachable"), url);
    const db = await openDatabase(`sqlite:///${folder}/ok.sqlite`);
    const work = db.query("select 1 as one");
    await Promise.all([work, db.close()]);
    await db.close();
    await assert.rejects(db.query("select 1"), /closed/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
