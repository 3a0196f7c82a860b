// A schema that somebody changed by hand between two phases: what is missing is found and made again by the phase that makes it, what is
// there besides is left alone, and the same commands lead to the same end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { releaseOf } from "../../releases/catalogue.ts";
import type { Database, Dialect } from "../database.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { check } from "./check.ts";
import { contract } from "./contract.ts";
import type { EngineEvent } from "./engine-run.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { readLiveSchema } from "./schema-tools.ts";
import { sync } from "./sync.ts";
import { fillNewton, migratedRows, visibilityById } from "./testing/rows.ts";
import { planUpgrade } from "./upgrade-plan.ts";

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

/** A trigger of our name that does nothing. */
const emptyTrigger: Record<Dialect["name"], readonly string[]> = {
  mysql: ["CREATE TRIGGER update_visibility BEFORE UPDATE ON images FOR EACH ROW BEGIN END"],
  sqlite: ["CREATE TRIGGER update_visibility AFTER UPDATE OF is_public ON images FOR EACH ROW BEGIN SELECT 1; END"],
  postgresql: [
    "CREATE OR REPLACE FUNCTION perennial_update_visibility() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    "CREATE TRIGGER update_visibility BEFORE UPDATE ON images FOR EACH ROW EXECUTE FUNCTION perennial_update_visibility()",
  ],
};

const runAll = (db: Database, statements: readonly string[]) =>
  db.session(async (session) => {
    for (const sql of statements) await session.run(sql);
  });

const refusal = (message: RegExp) => ({ code: "schema.preflight_failed", message });

for (const dialect of testDialects) {
  test(`hand-altered: a trigger that does something else is named in every phase, with what to do (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, rows);
      await expand({ db, target: ocata });
      await runAll(db, [dropTrigger[dialect], ...emptyTrigger[dialect]]);
      const line =
        /nothing was changed: trigger update_visibility on images does something else .*: DROP TRIGGER update_visibility( ON images)?, then glance-manage db expand/;
      for (const phase of [expand, migrate, contract])
        await assert.rejects(phase({ db, target: ocata }), refusal(line));
      assert(
        (await planUpgrade(db, ocata)).findings.contract.problems.some((text) => /^trigger update_vis/.test(text)),
      );
      await db.run(dropTrigger[dialect]);
      await goOn(db);
    }));

  test(`hand-altered: a column of another definition is named, with the one it should have (${dialect})`, () =>
    withTestDatabase(dialect, "empty", async ({ db }) => {
      const rocky = releaseOf("rocky");
      await sync({ db, target: releaseOf("queens") });
      await db.run("ALTER TABLE images ADD COLUMN os_hidden varchar(5) NULL");
      await db.run("ALTER TABLE images ADD COLUMN os_hash_algo varchar(250) NULL");
      await db.run("ALTER TABLE images ADD COLUMN os_hash_value varchar(100) NULL");
      const line =
        /column images\.os_hidden is (varchar|character varying)\(5\) NULL and should be .*NOT NULL.*; column images\.os_hash_value is .*\(100\).*should be varchar\(128\)/i;
      await assert.rejects(expand({ db, target: rocky }), refusal(line));
      await db.run("ALTER TABLE images DROP COLUMN os_hidden");
      await db.run("ALTER TABLE images DROP COLUMN os_hash_value");
      // A longer one takes all that it has to.
      await expand({ db, target: rocky });
      await contract({ db, target: rocky });
      assert.equal((await check(db, rocky)).due, "nothing");
    }));

  test(`hand-altered: an index on another column is told, and keeps nobody from going on (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, rows);
      await expand({ db, target: ocata });
      await runAll(db, [dropIndex[dialect], "CREATE INDEX visibility_image_idx ON images (owner)"]);
      const told: string[] = [];
      const on = (event: EngineEvent) => event.event === "warning" && told.push(event.text);
      await migrate({ db, target: ocata, on });
      const line = /^index visibility_image_idx on images holds \(owner\) and should hold \(visibility\).*: drop it/;
      assert(
        told.some((text) => line.test(text)),
        told.join("; "),
      );
      await db.run(dropIndex[dialect]);
      await goOn(db);
    }));

  test(`hand-altered: a dropped index keeps no rows from being migrated, and expand makes it again (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, rows);
      await expand({ db, target: ocata });
      await db.run(dropIndex[dialect]);
      assert.equal((await check(db, ocata)).due, "expand");
      assert.equal((await migrate({ db, target: ocata })).complete, true);
      assert.equal((await check(db, ocata)).due, "expand");
      const missing = /"add index visibility_image_idx on images" is missing. Run "glance-manage db expand"/;
      await assert.rejects(contract({ db, target: ocata }), { code: "schema.out_of_order", message: missing });
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

if (testDialects.includes("postgresql"))
  test("hand-altered: a trigger that was disabled is named (postgresql)", () =>
    withTestDatabase("postgresql", "expanded", async ({ db }) => {
      await db.run("ALTER TABLE images DISABLE TRIGGER insert_visibility");
      await assert.rejects(contract({ db, target: ocata }), refusal(/trigger insert_visibility on images is disabled/));
    }));

/** As earlier versions of this package made them. */
const earlier = [
  `CREATE TRIGGER update_visibility BEFORE UPDATE ON images FOR EACH ROW
BEGIN
  IF NOT (NEW.is_public <=> OLD.is_public) THEN
    IF NEW.is_public IS NULL OR NOT (NEW.visibility <=> OLD.visibility) THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'Invalid visibility value'; END IF;
    SET NEW.visibility = IF(NEW.is_public, 'public', 'shared');
  ELSEIF NOT (NEW.visibility <=> OLD.visibility) THEN
    IF NEW.visibility IS NULL THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'Invalid visibility value'; END IF;
    SET NEW.is_public = (NEW.visibility = 'public');
  END IF;
END`,
  `CREATE TRIGGER perennial_update_member BEFORE UPDATE ON image_members FOR EACH ROW
BEGIN
  IF NEW.deleted = 0 AND OLD.deleted <> 0 THEN UPDATE images SET visibility = IF(visibility = 'private', 'shared', visibility)
    WHERE id = NEW.image_id AND (visibility = 'private' OR visibility IS NULL); END IF;
END`,
];

if (testDialects.includes("mysql"))
  test("hand-altered: triggers that an earlier version of this package made are not (mysql)", () =>
    withTestDatabase("mysql", "newton", async ({ db }) => {
      await fillNewton(db, rows);
      await expand({ db, target: ocata });
      await runAll(db, [dropTrigger.mysql, "DROP TRIGGER perennial_update_member", ...earlier]);
      await goOn(db);
    }));
