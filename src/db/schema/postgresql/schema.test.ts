// What counts as our schema on PostgreSQL, the names its objects get, and triggers that work wherever their writer's search_path leads.
import assert from "node:assert/strict";
import { test } from "node:test";
import { newestRelease, releaseOf } from "../../../releases/catalogue.ts";
import { openDatabase } from "../../connect.ts";
import type { Database } from "../../database.ts";
import { testDialects, withTestDatabase } from "../../testing/databases.ts";
import { contract } from "../contract.ts";
import { expand } from "../expand.ts";
import { migrate } from "../migrate.ts";
import { presentTables, readLiveSchema } from "../schema-tools.ts";
import { sync } from "../sync.ts";
import { addMember, fillNewton, idOf } from "../testing/rows.ts";
import { shapeOf } from "../testing/shape.ts";

const ocata = releaseOf("ocata");
const newton = releaseOf("newton");

/** Constraints of the schema, `name: kind`, and its sequences. */
async function namesOf(db: Database): Promise<ReadonlySet<string>> {
  const rows = await db.query<{ name: string }>(
    `SELECT o.conname || ': ' || o.contype::text AS name FROM pg_constraint o
     UNION ALL SELECT relname || ': sequence' FROM pg_class WHERE relkind = 'S'`,
  );
  return new Set(rows.map(({ name }) => name));
}

if (testDialects.includes("postgresql")) {
  test("schema: keys, uniques and sequences have the names that SQLAlchemy and the server give them (postgresql)", () =>
    withTestDatabase("postgresql", "empty", async ({ db }) => {
      await sync({ db, target: newestRelease });
      const names = await namesOf(db);
      for (const name of [
        "images_pkey: p",
        "image_locations_pkey: p",
        "image_locations_image_id_fkey: f",
        "task_info_task_id_fkey: f",
        "ix_image_properties_image_id_name: u",
        "image_members_image_id_member_deleted_at_key: u",
        "uq_metadef_namespaces_namespace: u",
        "metadef_namespace_resource_types_pkey: p",
        "metadef_namespace_resource_types_namespace_id_fkey: f",
        "cached_images_node_reference_id_fkey: f",
        "uq_node_reference_node_reference_url: u",
        "alembic_version_pkey: p",
        "image_locations_id_seq: sequence",
        "node_reference_node_reference_id_seq: sequence",
      ])
        assert(names.has(name), `${name} is missing`);
      const { images = [], types } = await shapeOf(db);
      assert(images.includes("visibility image_visibility NOT NULL DEFAULT 'shared'::image_visibility"));
      assert(images.includes("os_hidden boolean NOT NULL DEFAULT false"));
      assert(images.includes("created_at timestamp without time zone NOT NULL"));
      assert(images.includes("CREATE INDEX visibility_image_idx ON public.images USING btree (visibility)"));
      assert.deepEqual(types, ["image_visibility: private, public, shared, community"]);
    }));

  test("schema: tables of other schemas, partitioned and foreign ones are none of ours (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db }) => {
      const before = await shapeOf(db);
      await db.session((session) =>
        session.run(`CREATE SCHEMA other; CREATE TABLE other.images (visibility text, id int); CREATE TABLE other.nodes (id int);
          CREATE TABLE logs (at date) PARTITION BY RANGE (at);
          CREATE TABLE logs_2026 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
          CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE far (id int) SERVER s;
          CREATE TABLE other.audited (id int);
          CREATE FUNCTION other.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
          CREATE TRIGGER update_visibility BEFORE UPDATE ON other.audited FOR EACH ROW EXECUTE FUNCTION other.nothing()`),
      );
      const schema = await readLiveSchema(db);
      assert(!schema.hasColumn("images", "visibility"), "another schema's table of the same name");
      assert(!schema.hasTrigger("update_visibility"), "another schema's trigger of the same name");
      for (const table of ["nodes", "logs", "logs_2026", "far"]) assert(!schema.hasTable(table), table);
      assert.deepEqual([...(await presentTables(db))].sort(), [...schema.tableNames].sort());
      for (const phase of [expand, migrate, contract]) await phase({ db, target: ocata });
      assert.equal((await shapeOf(db)).logs, before.logs);
      assert(!(await readLiveSchema(db)).hasTrigger("update_visibility"));
    }));

  test("schema: triggers find the tables of their own schema, wherever the writer's search_path leads (postgresql)", () =>
    withTestDatabase("postgresql", "empty", async ({ db, url }) => {
      await db.run("CREATE SCHEMA cloud");
      const there = await openDatabase(`${url}?options=-csearch_path%3Dcloud`);
      try {
        await sync({ db: there, target: newton });
        await fillNewton(there, 3);
        await expand({ db: there, target: ocata });
        await migrate({ db: there, target: ocata });
        await there.run("UPDATE images SET visibility = 'private' WHERE id = ?", [idOf(1)]);
        // A trap for whoever looks for the table by the path of the writer, which is "public" here.
        await db.run("CREATE TABLE images (id varchar(36), visibility text)");
        await db.run(
          "INSERT INTO cloud.image_members (image_id, member, can_share, created_at, deleted) VALUES (?, 'red', FALSE, '2016-10-01', FALSE)",
          [idOf(1)],
        );
        await db.run("UPDATE cloud.images SET is_public = TRUE WHERE id = ?", [idOf(2)]);
        const rows = await there.query("SELECT id, visibility FROM images WHERE id IN (?, ?) ORDER BY visibility", [
          idOf(1),
          idOf(2),
        ]);
        assert.deepEqual(rows, [
          { id: idOf(2), visibility: "public" },
          { id: idOf(1), visibility: "shared" },
        ]);
        await contract({ db: there, target: ocata });
      } finally {
        await there.close();
      }
    }));

  test("schema: a revert that was killed at its proof does not keep contract from its end (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db }) => {
      await fillNewton(db, 10);
      await expand({ db, target: ocata });
      // What such a revert leaves behind, before its operator decides to go forward after all.
      await db.run(
        "ALTER TABLE images ADD CONSTRAINT perennial_is_public_required CHECK (is_public IS NOT NULL) NOT VALID",
      );
      await db.run(
        "INSERT INTO images (id, status, visibility, created_at, deleted, min_disk, min_ram, protected) VALUES ('new', 'active', 'community', '2016-10-01', FALSE, 0, 0, FALSE)",
      );
      await migrate({ db, target: ocata });
      await contract({ db, target: ocata });
      const fresh = await withTestDatabase("postgresql", "ocata", (made) => shapeOf(made.db));
      assert.deepEqual(await shapeOf(db), fresh);
    }));

  test("schema: what a killed expand or contract left of a step is taken up (postgresql)", () =>
    withTestDatabase("postgresql", "newton", async ({ db }) => {
      await fillNewton(db, 10);
      await db.run("CREATE TYPE image_visibility AS ENUM ('private', 'public', 'shared', 'community')");
      await expand({ db, target: ocata });
      await migrate({ db, target: ocata });
      await addMember(db, idOf(1));
      await db.run(
        "ALTER TABLE images ADD CONSTRAINT perennial_visibility_required CHECK (visibility IS NOT NULL) NOT VALID",
      );
      await contract({ db, target: ocata });
      const fresh = await withTestDatabase("postgresql", "ocata", (made) => shapeOf(made.db));
      assert.deepEqual(await shapeOf(db), fresh);
    }));
}
