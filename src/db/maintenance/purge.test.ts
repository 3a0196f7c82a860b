// What purge removes and what it must leave, on every database: rows back in use, data that waits for the store, images with children.
import assert from "node:assert/strict";
import { test } from "node:test";
import { newestRelease } from "../../releases/catalogue.ts";
import type { Database, SqlValue } from "../database.ts";
import { idOf } from "../schema/testing/rows.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { purge, purgeImagesTable } from "./purge.ts";
import type { PurgeOptions } from "./purge-walk.ts";

const childTables = ["image_properties", "image_tags", "image_locations", "image_members"] as const;

function daysAgo(days: number): string {
  return new Date(Date.now() - days * 86_400_000).toISOString();
}

/** Rows by columns, with what every table of these wants. `deleted`: days ago, or not at all. */
function writer(db: Database) {
  const { dialect } = db;
  const insert = async (table: string, values: Readonly<Record<string, SqlValue>>, deleted: number | null) => {
    const row: Record<string, SqlValue> = {
      ...values,
      created_at: dialect.encodeTime(daysAgo(1_000)),
      deleted: deleted !== null,
      deleted_at: deleted === null ? null : dialect.encodeTime(daysAgo(deleted)),
    };
    const names = Object.keys(row);
    await db.run(
      `INSERT INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
      Object.values(row),
    );
  };
  return {
    image: (n: number, deleted: number | null, more: Readonly<Record<string, SqlValue>> = {}) =>
      insert(
        "images",
        { id: idOf(n), status: deleted === null ? "active" : "deleted", min_disk: 0, min_ram: 0, ...more },
        deleted,
      ),
    async children(n: number, deleted: number | null) {
      const image_id = idOf(n);
      await insert("image_properties", { image_id, name: "a", value: "b" }, deleted);
      await insert("image_tags", { image_id, value: "b" }, deleted);
      await insert(
        "image_locations",
        { image_id, value: "file:///x", status: deleted === null ? "active" : "deleted" },
        deleted,
      );
      await insert("image_members", { image_id, member: "m", can_share: false, status: "pending" }, deleted);
    },
    location: (n: number, status: string, deleted: number | null) =>
      insert("image_locations", { image_id: idOf(n), value: "file:///x", status }, deleted),
    async task(id: string, deleted: number | null) {
      await insert("tasks", { id, type: "import", status: "success", owner: "o" }, deleted);
      await db.run("INSERT INTO task_info (task_id, input) VALUES (?, '{}')", [id]);
    },
  };
}

async function count(db: Database, table: string): Promise<number> {
  const [row] = await db.query<{ n: unknown }>(`SELECT COUNT(*) AS n FROM ${table}`);
  return Number(row?.n);
}

const options = (db: Database, more: Partial<PurgeOptions> = {}): PurgeOptions => ({
  db,
  target: newestRelease,
  ageDays: 30,
  rowsMax: Number.POSITIVE_INFINITY,
  ...more,
});

const rowsOf = (purged: readonly { table: string; rows: number }[]) =>
  Object.fromEntries(purged.map(({ table, rows }) => [table, rows]));

for (const dialect of testDialects) {
  test(`purge: old rows go from every table but images, younger and living ones stay (${dialect})`, () =>
    withTestDatabase(dialect, "ocata", async ({ db }) => {
      const write = writer(db);
      for (const [n, deleted] of [
        [1, 40],
        [2, 31],
        [3, 29],
        [4, null],
      ] as const) {
        await write.image(n, deleted);
        await write.children(n, deleted);
        await write.task(`task-${n}`, deleted);
      }
      const expected = Object.fromEntries([...childTables, "tasks", "task_info"].map((table) => [table, 2]));
      assert.deepEqual(rowsOf(await purge(options(db))), expected);
      for (const table of [...childTables, "tasks", "task_info"]) assert.equal(await count(db, table), 2, table);
      assert.equal(await count(db, "images"), 4);
      assert.deepEqual(await purgeImagesTable(options(db, { ageDays: 35 })), { rows: 1, kept: 0, blocked: [] });
      assert.deepEqual(
        rowsOf(await purge(options(db))),
        Object.fromEntries(Object.keys(expected).map((table) => [table, 0])),
      );
    }));

  test(`purge: a row that came back to life keeps its old deleted_at, and stays (${dialect})`, () =>
    withTestDatabase(dialect, "ocata", async ({ db }) => {
      const write = writer(db);
      await write.image(1, null);
      await write.children(1, 400);
      for (const table of ["image_properties", "image_members"])
        await db.run(`UPDATE ${table} SET deleted = ?`, [false]);
      const gone = rowsOf(await purge(options(db)));
      assert.deepEqual([gone.image_properties, gone.image_members, gone.image_tags], [0, 0, 1]);
      assert.equal(await count(db, "image_members"), 1);
    }));

  test(`purge: the oldest go first, and never more than asked for (${dialect})`, () =>
    withTestDatabase(dialect, "ocata", async ({ db }) => {
      const write = writer(db);
      // Ages and keys go different ways, and many share an age.
      for (let n = 0; n < 60; n++) await write.image(n, 100 + ((n * 7) % 20));
      const before = await db.query<{ id: string; deleted_at: string }>(
        "SELECT id, deleted_at FROM images ORDER BY deleted_at, id",
      );
      assert.equal((await purgeImagesTable(options(db, { rowsMax: 25 }))).rows, 25);
      const left = await db.query<{ id: string }>("SELECT id FROM images ORDER BY deleted_at, id");
      assert.deepEqual(
        left.map((row) => row.id),
        before.slice(25).map((row) => row.id),
      );
      assert.equal((await purgeImagesTable(options(db, { rowsMax: 0 }))).rows, 0);
      assert.equal((await purgeImagesTable(options(db, { rowsMax: 100 }))).rows, 35);
    }));

  test(`purge: an image stays while its data waits to be removed, or while rows name it, and the rest goes (${dialect})`, () =>
    withTestDatabase(dialect, "ocata", async ({ db }) => {
      const write = writer(db);
      for (const n of [1, 2, 3, 4, 5, 6]) await write.image(n, 400, n === 2 ? { status: "pending_delete" } : {});
      await write.location(3, "pending_delete", 400);
      await db.run(
        `INSERT INTO perennial_uploads (image_id, lease_id, node, url, started_at, expires_at) VALUES (?, 'l', 'n', 'file:///x', ${db.dialect.nowSql}, ${db.dialect.nowSql})`,
        [idOf(4)],
      );
      await write.children(5, 400);
      await write.location(6, "active", null);
      const first = await purgeImagesTable(options(db));
      assert.deepEqual([first.rows, first.kept], [1, 3]);
      assert.deepEqual(
        first.blocked.find((one) => one.table === "image_locations"),
        { table: "image_locations", images: 2, marked: 1, live: 1 },
      );
      assert.equal(first.blocked.length, 4);
      await purge(options(db));
      const second = await purgeImagesTable(options(db));
      assert.deepEqual(second, {
        rows: 1,
        kept: 3,
        blocked: [{ table: "image_locations", images: 1, marked: 0, live: 1 }],
      });
      const left = await db.query<{ id: string }>("SELECT id FROM images ORDER BY id");
      assert.deepEqual(
        left.map((row) => row.id),
        [2, 3, 4, 6].map(idOf).sort(),
      );
      const locations = await db.query<{ image_id: string }>("SELECT image_id FROM image_locations");
      assert.deepEqual(locations.map((row) => row.image_id).sort(), [3, 6].map(idOf).sort());
    }));

  test(`purge: two at once share the work, and one that is stopped leaves the rest for the next (${dialect})`, () =>
    withTestDatabase(dialect, "ocata", async ({ db, another }) => {
      const write = writer(db);
      await write.image(0, null);
      await db.transaction(async (tx) => {
        const at = db.dialect.encodeTime(daysAgo(90));
        for (let n = 0; n < 3_000; n += 100) {
          const rows = Array.from({ length: 100 }, () => "(?, ?, ?, ?, ?)").join(", ");
          await tx.run(
            `INSERT INTO image_tags (image_id, value, created_at, deleted, deleted_at) VALUES ${rows}`,
            Array.from({ length: 100 }, (_, i) => [idOf(0), `t${n + i}`, at, true, at]).flat(),
          );
        }
      });
      const stop = new AbortController();
      const on: PurgeOptions["on"] = (event) => {
        if (event.event === "progress" && event.step === "image_tags") stop.abort(new Error("stopped"));
      };
      await assert.rejects(purge(options(db, { signal: stop.signal, on })), /stopped/);
      const left = await count(db, "image_tags");
      assert(left > 0 && left < 3_000, `${left} rows left`);
      const two = [await another(), await another()];
      const both = await Promise.all(two.map((one) => purge(options(one))));
      const shared = both.map((purged) => rowsOf(purged).image_tags ?? 0);
      // Where rows were held by one while the other came by, they are the first one's to remove.
      assert.equal(
        shared.reduce((sum, rows) => sum + rows, 0),
        left,
        shared.join(" + "),
      );
      assert.equal(await count(db, "image_tags"), 0);
    }));
}
