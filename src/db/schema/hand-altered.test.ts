// A schema that somebody changed by hand between two phases: what is missing is found and made again by the phase that makes it, what is
// there besides is left alone, and the same commands lead to the same end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { releaseOf } from "../../releases/catalogue.ts";
import type { Database, Dialect } from "../database.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { check } from "./check.ts";
import { contract } from "./contract.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { readLiveSchema } from "./schema-tools.ts";
import { fillNewton, migratedRows, visibilityById } from "./testing/rows.ts";

const ocata = releaseOf("ocata");
const rows = 40;

async function goOn(db: Database): Promise<void> {
  await expand({ db, target: ocata });
  await migrate({ db, target: ocata });
  await contract({ db, target: ocata });
  assert.equal((await check(db, ocata)).due, "nothing");
  assert.deepEqual(await visibilityById(db), migratedRows(rows));
}

const dropIndex: Record<Dialect["name"], string> = {
  mysql: "DROP INDEX visibility_image_idx ON images",
  sqlite: "DROP INDEX visibility_image_idx",
  postgresql: "DROP INDEX visibility_image_idx",
};
const dropTrigger: Record<Dialect["name"], string> = {
  mysql: "DROP TRIGGER update_visibility",
  sqlite: "DROP TRIGGER update_visibility",
  postgresql: "DROP TRIGGER update_visibility ON images",
};

for (const dialect of testDialects) {
  test(`hand-altered: a dropped index keeps no rows from being migrated, and expand makes it again (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, rows);
      await expand({ db, target: ocata });
      await db.run(dropIndex[dialect]);
      assert.equal((await check(db, ocata)).due, "expand");
      assert.equal((await migrate({ db, target: ocata })).complete, true);
      assert.equal((await check(db, ocata)).due, "expand");
      await goOn(db);
      assert((await readLiveSchema(db)).hasIndex("images", "visibility_image_idx"));
    }));

  test(`hand-altered: a dropped trigger is found, and made again (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, rows);
      await expand({ db, target: ocata });
      await db.run(dropTrigger[dialect]);
      assert.equal((await check(db, ocata)).due, "expand");
      await expand({ db, target: ocata });
      assert((await readLiveSchema(db)).hasTrigger("update_visibility"));
      await goOn(db);
    }));

  test(`hand-altered: a column and an index of the operator's own stay through all phases (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, rows);
      await db.run("ALTER TABLE images ADD COLUMN site varchar(16) NULL");
      await db.run("CREATE INDEX site_idx ON images (site)");
      await db.run("UPDATE images SET site = 'north'");
      await goOn(db);
      const schema = await readLiveSchema(db);
      assert(schema.hasColumn("images", "site") && schema.hasIndex("images", "site_idx"));
      const [row] = await db.query<{ n: unknown }>("SELECT COUNT(*) AS n FROM images WHERE site = 'north'");
      assert.equal(Number(row?.n), rows);
    }));
}
