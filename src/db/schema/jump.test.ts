// From Newton to the newest release in one expand, one migrate, one contract: every release on the way has its turn, what each leaves in
// alembic_version is the reference's, and until contract all of it can be taken back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { newestRelease, releaseOf, releases } from "../../releases/catalogue.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { check } from "./check.ts";
import { contract } from "./contract.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { databaseReadiness } from "./readiness.ts";
import { revert } from "./revert.ts";
import { readLiveSchema } from "./schema-tools.ts";
import { sync } from "./sync.ts";
import { fillNewton, heads, idOf, migratedRows, visibilityById } from "./testing/rows.ts";
import { shapeOf } from "./testing/shape.ts";

const newton = releaseOf("newton");
const rows = 60;

for (const dialect of testDialects) {
  test(`jump: Newton to the newest in one go loses nothing (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      const options = { db, target: newestRelease };
      await fillNewton(db, rows);
      const stein = '{"backend": "fast"}';
      await db.run(
        "INSERT INTO image_locations (image_id, value, created_at, deleted, meta_data, status) VALUES (?, 'file:///x', '2016-10-01 00:00:00', ?, ?, 'active')",
        [idOf(1), false, stein],
      );
      assert.deepEqual((await expand(options)).heads, ["2024_1_expand01"]);
      assert.equal((await check(db, newestRelease)).due, "migrate");
      assert.deepEqual(await databaseReadiness(db, newton), { ready: true });
      await assert.rejects(contract(options), { code: "schema.out_of_order", message: /db migrate/ });
      assert.deepEqual(await migrate(options), { outcome: "migrated", rows: rows + 1, complete: true });
      for (const release of releases)
        assert.deepEqual(await databaseReadiness(db, release), { ready: true }, release.id);
      assert.deepEqual((await contract(options)).heads, ["2024_1_contract01"]);
      assert.deepEqual(await visibilityById(db), migratedRows(rows));
      const [location] = await db.query<{ meta_data: string }>("SELECT meta_data FROM image_locations");
      assert.equal(location?.meta_data, '{"store": "fast"}');
      assert.equal((await check(db, newestRelease)).due, "nothing");
      const schema = await readLiveSchema(db);
      assert(
        schema.hasTable("cached_images") && !schema.hasTable("artifacts") && !schema.hasColumn("images", "is_public"),
      );
      const late = await databaseReadiness(db, newton);
      assert(!late.ready && late.due === "newer_release");
      for (const act of [expand, migrate, contract, sync])
        await assert.rejects(act({ db, target: newton }), { code: "schema.out_of_order", message: /older/ });
    }));

  test(`jump: one release at a time leads to the same schema as all at once (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, rows);
      for (const target of releases) {
        await expand({ db, target });
        if (target.revisions.length > 0) assert((await heads(db)).includes(target.heads.expanded ?? ""), target.id);
        await migrate({ db, target });
        await contract({ db, target });
        assert.deepEqual(await heads(db), [target.heads.contracted]);
        assert.deepEqual(await databaseReadiness(db, target), { ready: true });
      }
      const stepwise = await shapeOf(db);
      await withTestDatabase(dialect, "newton", async ({ db: other }) => {
        await fillNewton(other, rows);
        for (const phase of [expand, migrate, contract])
          await phase({ db: other, target: newestRelease, limits: { rebuildRowsMax: 0 } });
        assert.deepEqual(await shapeOf(other), stepwise);
      });
      await withTestDatabase(dialect, "empty", async ({ db: fresh }) => {
        await sync({ db: fresh, target: newestRelease });
        assert.deepEqual(await shapeOf(fresh), stepwise);
      });
    }));

  test(`jump: all of it can be taken back before contract, and what users would lose is asked for (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, rows);
      const before = await shapeOf(db);
      await expand({ db, target: newestRelease });
      await migrate({ db, target: newestRelease });
      await db.run("UPDATE images SET visibility = 'community', os_hidden = ? WHERE id = ?", [true, idOf(1)]);
      const options = { db, target: newton };
      await assert.rejects(revert(options), {
        code: "schema.would_lose",
        message: /1 hidden images.*1 community images/,
      });
      const result = await revert({ ...options, acceptLosses: true });
      assert.deepEqual(result.heads, ["mitaka02"]);
      assert.equal(result.losses.length, 2);
      assert.deepEqual(await shapeOf(db), before);
    }));
}
