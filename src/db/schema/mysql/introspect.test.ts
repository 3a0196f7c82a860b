import assert from "node:assert/strict";
import { test } from "node:test";
import type { Queryable } from "../../database.ts";
import { testDialects, withTestDatabase } from "../../testing/databases.ts";
import { readMysqlSchema } from "./introspect.ts";

if (testDialects.includes("mysql"))
  test("live schema: it is read without a look at the server's other databases", () =>
    withTestDatabase("mysql", "expanded", async ({ db }) => {
      const asked: string[] = [];
      const watched: Queryable = {
        query: (sql, params) => {
          asked.push(sql);
          return db.query(sql, params);
        },
        run: (sql, params) => db.run(sql, params),
      };
      const live = await readMysqlSchema(watched);
      assert(live.hasColumn("images", "visibility"));
      assert(asked.some((sql) => sql.includes("triggers")));
      // MariaDB's words; MySQL from 8 on keeps all of it in tables of its own, and says nothing such.
      for (const sql of asked)
        for (const plan of await db.query(`EXPLAIN ${sql}`))
          assert.doesNotMatch(JSON.stringify(plan), /Scanned all databases/, sql);
    }));
