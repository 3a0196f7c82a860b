// On MariaDB our schema is the reference's, definition by definition: fresh at Newton, fresh at Ocata, and after all phases; whoever
// made Newton's. On SQLite the ways to Ocata lead to the same schema.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { type ReleaseId, releaseOf } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { contract } from "./contract.ts";
import type { EngineOptions } from "./engine-run.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { sync } from "./sync.ts";
import { fillNewton, heads, migratedRows, visibilityById } from "./testing/rows.ts";
import { shapeOf } from "./testing/shape.ts";

const ocata = releaseOf("ocata");

async function upgrade(db: Database, limits: EngineOptions["limits"] = {}): Promise<void> {
  for (const phase of [expand, migrate, contract]) await phase({ db, target: ocata, limits });
}

/** Runs the reference's statements; tables come in alphabetical order, so foreign keys have to wait. */
async function loadReference(db: Database, release: ReleaseId): Promise<void> {
  const text = await readFile(new URL(`./testing/reference/${release}.sql`, import.meta.url), "utf8");
  await db.session(async (session) => {
    await session.run("SET foreign_key_checks = 0");
    for (const statement of text.replace(/^--.*$/gm, "").split(/;\n/))
      if (statement.trim()) await session.run(statement);
  });
}

if (testDialects.includes("mysql")) {
  const referenceShape = (release: ReleaseId) =>
    withTestDatabase("mysql", "empty", async ({ db }) => {
      await loadReference(db, release);
      return { shape: await shapeOf(db), heads: await heads(db) };
    });
  const ourShape = async (db: Database) => ({ shape: await shapeOf(db), heads: await heads(db) });

  for (const release of ["newton", "ocata"] as const)
    test(`equality: a fresh database at ${release} is the reference's (mysql)`, () =>
      withTestDatabase("mysql", "empty", async ({ db }) => {
        await sync({ db, target: releaseOf(release) });
        assert.deepEqual(await ourShape(db), await referenceShape(release));
      }));

  for (const [way, rebuildRowsMax] of [
    ["a switch of columns", 0],
    ["a rebuild", 5_000],
  ] as const)
    test(`equality: after expand, migrate and contract by ${way} the schema is the reference's (mysql)`, () =>
      withTestDatabase("mysql", "newton", async ({ db }) => {
        await fillNewton(db, 100);
        await upgrade(db, { rebuildRowsMax });
        assert.deepEqual(await ourShape(db), await referenceShape("ocata"));
        assert.deepEqual(await visibilityById(db), migratedRows(100));
      }));

  test("equality: so it is when the reference made Newton's database, by phases and by db sync (mysql)", async () => {
    for (const way of [(db: Database) => upgrade(db), (db: Database) => sync({ db, target: ocata })])
      await withTestDatabase("mysql", "empty", async ({ db }) => {
        await loadReference(db, "newton");
        await fillNewton(db, 100);
        await way(db);
        assert.deepEqual(await ourShape(db), await referenceShape("ocata"));
        assert.deepEqual(await visibilityById(db), migratedRows(100));
      });
  });
}

if (testDialects.includes("sqlite"))
  test("equality: phases and db sync lead to the same schema (sqlite)", async () => {
    const shapes = await Promise.all(
      [(db: Database) => upgrade(db), (db: Database) => sync({ db, target: ocata })].map((way) =>
        withTestDatabase("sqlite", "newton", async ({ db }) => {
          await fillNewton(db, 100);
          await way(db);
          assert.deepEqual(await visibilityById(db), migratedRows(100));
          assert.deepEqual(await db.query("PRAGMA foreign_key_check"), []);
          return shapeOf(db);
        }),
      ),
    );
    assert.deepEqual(shapes[0], shapes[1]);
    const visibility = shapes[0]?.images?.find((line) => line.startsWith("visibility"));
    assert.equal(visibility, "visibility VARCHAR(9) DEFAULT 'shared' NOT NULL");
  });
