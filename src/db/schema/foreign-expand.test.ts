// A database that another tool expanded (is_public relaxed, the reference's triggers or none, rows in whatever state) is recognised,
// completed, migrated and contracted; and what its owners said about visibility is not lost on the way.
import assert from "node:assert/strict";
import { test } from "node:test";
import { releaseOf } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { check } from "./check.ts";
import { contract } from "./contract.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { addMember, fillNewton, heads, idOf, migratedRows, visibilityById } from "./testing/rows.ts";
import { shapeOf } from "./testing/shape.ts";
import { verify } from "./verify.ts";

const ocata = releaseOf("ocata");

/** What the reference's expand leaves, without triggers: column, index, is_public relaxed, revision. */
async function expandElsewhere(db: Database): Promise<void> {
  const statements = {
    mysql: [
      "ALTER TABLE images ADD COLUMN visibility enum('private','public','shared','community') NULL",
      "CREATE INDEX visibility_image_idx ON images (visibility)",
      "ALTER TABLE images MODIFY is_public tinyint(1) NULL",
    ],
    sqlite: [
      "ALTER TABLE images ADD COLUMN visibility VARCHAR(9)",
      "CREATE INDEX visibility_image_idx ON images (visibility)",
      "ALTER TABLE images ALTER COLUMN is_public DROP NOT NULL",
    ],
    postgresql: [
      "CREATE TYPE image_visibility AS ENUM ('private', 'public', 'shared', 'community')",
      "ALTER TABLE images ADD COLUMN visibility image_visibility",
      "CREATE INDEX visibility_image_idx ON images (visibility)",
      "ALTER TABLE images ALTER COLUMN is_public DROP NOT NULL",
    ],
  };
  await db.session(async (session) => {
    for (const sql of statements[db.dialect.name]) await session.run(sql);
  });
  await db.run("UPDATE alembic_version SET version_num = 'ocata_expand01'");
}

for (const dialect of testDialects) {
  test(`foreign expand: without triggers it is completed, then goes the whole way (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, 60);
      await expandElsewhere(db);
      assert.equal((await check(db, ocata)).due, "expand", "a mixed fleet needs the triggers");
      assert.deepEqual(await expand({ db, target: ocata }), { outcome: "expanded", heads: ["ocata_expand01"] });
      const { triggers } = await shapeOf(db);
      assert.deepEqual(triggers, [
        "insert_visibility",
        "perennial_insert_member",
        "perennial_update_member",
        "update_visibility",
      ]);
      assert.equal((await expand({ db, target: ocata })).outcome, "up_to_date");
      await migrate({ db, target: ocata });
      await contract({ db, target: ocata });
      assert.deepEqual(await visibilityById(db), migratedRows(60));
      const fresh = await withTestDatabase(dialect, "ocata", (made) => shapeOf(made.db));
      assert.deepEqual(await shapeOf(db), fresh);
    }));

  test(`foreign expand: members added before our triggers share their images, once (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, 60);
      await expandElsewhere(db);
      // Migrated by the other tool; then an old node added a member, which reached no visibility.
      for (const [id, visibility] of Object.entries(migratedRows(60)))
        await db.run("UPDATE images SET visibility = ? WHERE id = ?", [visibility, id]);
      await addMember(db, idOf(1));
      await expand({ db, target: ocata });
      assert.equal((await check(db, ocata)).due, "migrate");
      assert.deepEqual(await migrate({ db, target: ocata }), { outcome: "migrated", rows: 1, complete: true });
      assert.deepEqual(await visibilityById(db), { ...migratedRows(60), [idOf(1)]: "shared" });
      // Its owner takes it back: from now on that is what counts.
      await db.run("UPDATE images SET visibility = 'private' WHERE id = ?", [idOf(1)]);
      assert.equal((await migrate({ db, target: ocata })).outcome, "up_to_date");
      const notes = (await verify({ db, target: ocata })).invariants.filter((one) => one.broken > 0);
      assert.deepEqual(
        notes.map((one) => [one.severity, one.broken, one.examples]),
        [["report", 1, [idOf(1)]]],
      );
      await contract({ db, target: ocata });
      assert.equal((await visibilityById(db))[idOf(1)], "private");
    }));

  test(`foreign expand: it can be migrated and contracted as it is (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, 60);
      await expandElsewhere(db);
      await migrate({ db, target: ocata });
      await contract({ db, target: ocata });
      assert.deepEqual(await visibilityById(db), migratedRows(60));
      assert.deepEqual(await heads(db), ["ocata_contract01"]);
    }));

  test(`our own expand: members are never looked at again, whatever happens before the first migrate (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await expand({ db, target: ocata });
      // An empty database needs no migrate, so new nodes may start; one of them shares an image and takes it back.
      await fillNewton(db, 10);
      await addMember(db, idOf(1));
      await db.run("UPDATE images SET visibility = 'private' WHERE id = ?", [idOf(1)]);
      assert.equal((await migrate({ db, target: ocata })).outcome, "up_to_date");
      await contract({ db, target: ocata });
      assert.equal((await visibilityById(db))[idOf(1)], "private");
    }));
}
