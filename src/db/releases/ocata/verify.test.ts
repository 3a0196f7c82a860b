// What verify asks of every row must cost the same however many members there are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testDialects, withTestDatabase } from "../../testing/databases.ts";
import { invariants } from "./verify.ts";

for (const dialect of testDialects.filter((name) => name === "sqlite"))
  test(`verify: members are found by their image, not by walking all live ones (${dialect})`, async () => {
    await withTestDatabase(dialect, "expanded", async ({ db }) => {
      for (const { brokenWhere } of invariants) {
        const plan = await db.query<{ detail: string }>(
          `EXPLAIN QUERY PLAN SELECT COUNT(*) FROM images WHERE id > 'a' AND id <= 'b' AND ${brokenWhere}`,
        );
        assert(!plan.some(({ detail }) => /ix_\w+_deleted/.test(detail)), plan.map(({ detail }) => detail).join("; "));
      }
    });
  });
