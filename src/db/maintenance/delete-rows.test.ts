// A batch of deleted rows locks these and no others, however small the table is: their neighbours may be in somebody's hands.
import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf } from "../schema/testing/rows.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { deleteByKey } from "./delete-rows.ts";

// SQLite has one writer, who has everything.
for (const dialect of testDialects.filter((name) => name !== "sqlite"))
  test(`delete by key: a row beside them that somebody holds is no obstacle, and stays (${dialect})`, () =>
    withTestDatabase(dialect, "ocata", async ({ db, another }) => {
      const at = db.dialect.encodeTime("2020-01-01T00:00:00Z");
      for (let n = 1; n <= 10; n++) {
        await db.run(
          "INSERT INTO images (id, status, min_disk, min_ram, created_at, deleted) VALUES (?, 'deleted', 0, 0, ?, TRUE)",
          [idOf(n), at],
        );
        await db.run("INSERT INTO image_tags (id, image_id, value, created_at, deleted) VALUES (?, ?, 't', ?, TRUE)", [
          n,
          idOf(n),
          at,
        ]);
      }
      const tables = [
        { table: "image_tags", keyOf: (n: number) => n },
        { table: "images", keyOf: idOf },
      ];
      const holder = await another();
      for (const { table, keyOf } of tables) {
        const keys = Array.from({ length: 9 }, (_, index) => keyOf(index + 1));
        const rows = await holder.transaction(async (held) => {
          await held.query(`SELECT id FROM ${table} WHERE id = ? FOR UPDATE`, [keyOf(10)]);
          return db.transaction((tx) => deleteByKey(tx, db.dialect, { table, key: "id" }, [...keys, keyOf(99)]));
        });
        assert.equal(rows, 9, table);
        const left = await db.query<{ id: string | number }>(`SELECT id FROM ${table}`);
        assert.deepEqual(left, [{ id: keyOf(10) }]);
      }
    }));
