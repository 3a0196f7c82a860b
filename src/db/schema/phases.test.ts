// The phases one after the other: what each leaves in alembic_version, what it answers when it comes too early or twice, and that
// data migration gives every row what it must have and touches no other.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../test/servers/eventually.ts";
import { releaseOf } from "../../releases/catalogue.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { check } from "./check.ts";
import { contract } from "./contract.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { databaseReadiness } from "./readiness.ts";
import { revert, wayBackTo } from "./revert.ts";
import { readLiveSchema } from "./schema-tools.ts";
import { sync } from "./sync.ts";
import { fillNewton, heads, idOf, migratedRows, visibilityById } from "./testing/rows.ts";
import { shapeOf } from "./testing/shape.ts";
import { verify } from "./verify.ts";
import { versionControl } from "./version-control.ts";

const newton = releaseOf("newton");
const ocata = releaseOf("ocata");
const rows = 300;

for (const dialect of testDialects) {
  test(`phases: Newton to Ocata, each once, each again (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      const options = { db, target: ocata };
      await fillNewton(db, rows);
      assert.deepEqual(await heads(db), ["mitaka02"]);
      assert.equal((await check(db, ocata)).due, "expand");
      assert.equal((await check(db, newton)).due, "nothing");
      assert.deepEqual(await databaseReadiness(db, newton), { ready: true });
      const early = await databaseReadiness(db, ocata);
      assert(!early.ready && early.due === "expand");

      assert.deepEqual(await expand(options), { outcome: "expanded", heads: ["ocata_expand01"] });
      assert.deepEqual(await heads(db), ["ocata_expand01"]);
      assert.equal((await check(db, ocata)).due, "migrate");
      assert.deepEqual(await databaseReadiness(db, newton), { ready: true });
      const waiting = await databaseReadiness(db, ocata);
      assert(!waiting.ready && waiting.due === "migrate");
      assert.equal((await expand(options)).outcome, "up_to_date");
      const unsound = await verify(options);
      assert.equal(unsound.sound, false);
      assert.equal(unsound.invariants[0]?.broken, rows);

      assert.deepEqual(await migrate(options), { outcome: "migrated", rows, complete: true });
      assert.deepEqual(await visibilityById(db), migratedRows(rows));
      assert.deepEqual(await heads(db), ["ocata_expand01"]);
      assert.equal((await check(db, ocata)).due, "contract");
      assert.deepEqual(await databaseReadiness(db, ocata), { ready: true });
      assert.equal((await migrate(options)).outcome, "up_to_date");
      const sound = await verify(options);
      assert.equal(sound.sound, true);
      assert.equal(sound.rows, rows);

      const done = await contract(options);
      assert.deepEqual(done, { outcome: "contracted", heads: ["ocata_contract01"], rowsVerified: rows });
      assert.deepEqual(await heads(db), ["ocata_contract01"]);
      assert.equal((await check(db, ocata)).due, "nothing");
      assert.deepEqual(await visibilityById(db), migratedRows(rows), "contract changes no row's meaning");
      const late = await databaseReadiness(db, newton);
      assert(!late.ready && late.due === "newer_release");
      assert.deepEqual(await databaseReadiness(db, ocata), { ready: true });
      for (const phase of [expand, migrate, contract]) assert.equal((await phase(options)).outcome, "finished");
      assert.equal((await sync(options)).outcome, "up_to_date");
    }));

  test(`phases: out of order, nothing is changed and the next command is named (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      const options = { db, target: ocata };
      await fillNewton(db, 20);
      const before = await shapeOf(db);
      await assert.rejects(migrate(options), { code: "schema.out_of_order", message: /glance-manage db expand/ });
      await assert.rejects(contract(options), { code: "schema.out_of_order", message: /glance-manage db expand/ });
      await assert.rejects(verify(options), { code: "schema.out_of_order" });
      assert.deepEqual(await shapeOf(db), before);
      await expand(options);
      const expanded = await shapeOf(db);
      await assert.rejects(contract(options), { code: "schema.out_of_order", message: /glance-manage db migrate/ });
      assert.deepEqual(await shapeOf(db), expanded);
    }));

  test(`phases: an expand that is taken back leaves Newton's schema, and can be made again (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, 50);
      const before = await shapeOf(db);
      for (let round = 1; round <= 2; round++) {
        await expand({ db, target: ocata });
        await migrate({ db, target: ocata });
        assert.equal(await wayBackTo(db, newton), "open");
        assert.deepEqual(await revert({ db, target: newton }), {
          outcome: "reverted",
          heads: ["mitaka02"],
          losses: [],
        });
        assert.deepEqual(await shapeOf(db), before);
        assert.equal((await revert({ db, target: newton })).outcome, "up_to_date");
        assert.equal(await wayBackTo(db, newton), "done");
      }
      await sync({ db, target: ocata });
      assert.deepEqual(await visibilityById(db), migratedRows(50));
      await assert.rejects(revert({ db, target: newton }), { code: "schema.out_of_order" });
      assert.equal(await wayBackTo(db, newton), "closed");
    }));

  test(`phases: limits end a data migration early, and the next run goes on (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      const options = { db, target: ocata };
      await fillNewton(db, rows);
      await expand(options);
      const part = await migrate({ ...options, backfill: { rowsMax: 100, batchRows: 40 } });
      assert.deepEqual(part, { outcome: "migrated", rows: 100, complete: false });
      assert.deepEqual(await migrate(options), { outcome: "migrated", rows: rows - 100, complete: true });
      assert.deepEqual(await visibilityById(db), migratedRows(rows));
    }));

  test(`phases: data migration never overwrites a visibility that a node gave (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, 40);
      await expand({ db, target: ocata });
      // What nodes of both releases write between expand and migrate.
      const given = { [idOf(1)]: "community", [idOf(2)]: "shared", [idOf(5)]: "private", [idOf(6)]: "private" };
      for (const [id, visibility] of Object.entries(given))
        await db.run("UPDATE images SET visibility = ? WHERE id = ?", [visibility, id]);
      await db.run("UPDATE images SET is_public = TRUE WHERE id = ?", [idOf(3)]);
      await migrate({ db, target: ocata });
      await migrate({ db, target: ocata });
      assert.deepEqual(await visibilityById(db), { ...migratedRows(40), ...given, [idOf(3)]: "public" });
    }));

  // SQLite has one writer: who has a row has all of them.
  if (dialect !== "sqlite")
    test(`phases: a row that somebody's transaction holds keeps no other from being migrated (${dialect})`, () =>
      withTestDatabase(dialect, "newton", async ({ db, another }) => {
        const options = { db, target: releaseOf("train") };
        await fillNewton(db, 40);
        const at = db.dialect.encodeTime("2020-01-01T00:00:00Z");
        for (let n = 0; n < 40; n++)
          await db.run(
            `INSERT INTO image_locations (id, image_id, value, status, meta_data, created_at, deleted) VALUES (?, ?, 'file:///x', 'active', '{"backend": "a"}', ?, FALSE)`,
            [n + 1, idOf(n), at],
          );
        await expand(options);
        const holder = await another();
        let migrated: ReturnType<typeof migrate> | undefined;
        const held = [
          { table: "images", key: idOf(7), pending: "visibility IS NULL" },
          { table: "image_locations", key: 7, pending: "meta_data LIKE '%backend%'" },
        ];
        for (const { table, key, pending } of held) {
          await holder.transaction(async (tx) => {
            await tx.query(`SELECT id FROM ${table} WHERE id = ? FOR UPDATE`, [key]);
            migrated ??= migrate(options);
            await eventually(`all but one of ${table} are migrated`, async () => {
              const [row] = await db.query<{ n: unknown }>(`SELECT COUNT(*) AS n FROM ${table} WHERE ${pending}`);
              return Number(row?.n) === 1;
            });
          });
        }
        assert.equal((await migrated)?.complete, true);
        assert.deepEqual(await visibilityById(db), migratedRows(40));
      }));

  test(`phases: a database from before Alembic is Newton's, and so is one that is stamped (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await db.run("DROP TABLE alembic_version");
      await assert.rejects(expand({ db, target: ocata }), {
        code: "schema.unknown_revision",
        message: /version_control/,
      });
      await db.run("CREATE TABLE migrate_version (repository_id varchar(250), repository_path text, version int)");
      await db.run("INSERT INTO migrate_version VALUES ('Glance Migrations', '/x', 44)");
      assert.deepEqual((await check(db, newton)).heads, ["mitaka02"]);
      assert.deepEqual(await databaseReadiness(db, newton), { ready: true });
      assert.deepEqual((await expand({ db, target: ocata })).heads, ["ocata_expand01"]);
      assert.deepEqual(await heads(db), ["ocata_expand01"]);
      await db.run("UPDATE migrate_version SET version = 41");
      await db.run("DROP TABLE alembic_version");
      await assert.rejects(check(db, ocata), { code: "schema.unknown_revision", message: /Liberty/ });
      assert.deepEqual(
        await versionControl({ db, target: ocata, version: "ocata_expand01" }).then((it) => it.revision),
        "ocata_expand01",
      );
      assert.equal((await check(db, ocata)).due, "contract");
    }));

  test(`phases: a revision of a newer release is refused by every command (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await db.run("UPDATE alembic_version SET version_num = '2099_1_expand01'");
      const unknown = { code: "schema.unknown_revision", message: /2099_1_expand01/ };
      const options = { db, target: ocata };
      for (const table of ["perennial_nodes", "perennial_progress", "perennial_uploads"])
        await db.run(`DROP TABLE ${table}`);
      for (const act of [expand, migrate, contract, sync, verify]) await assert.rejects(act(options), unknown);
      assert(!(await readLiveSchema(db)).hasTable("perennial_progress"), "not even our own tables are made");
      await assert.rejects(check(db, ocata), unknown);
      const readiness = await databaseReadiness(db, ocata);
      assert(!readiness.ready && readiness.due === "newer_release");
      await db.run("UPDATE alembic_version SET version_num = 'ocata01'");
      assert.equal((await check(db, ocata)).due, "nothing", "what Ocata's own db sync wrote");
    }));
}
