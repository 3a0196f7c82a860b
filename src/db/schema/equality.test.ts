// On MariaDB our schema is the reference's, definition by definition, at every release and between them: made fresh, step by step, in
// one go, and from every schema that the reference itself leaves behind. Where it is another on purpose, ARCHITECTURE.md says why, and the
// difference stands here in full. On the other databases all ways lead to one schema (jump.test.ts).
import assert from "node:assert/strict";
import { test } from "node:test";
import { newestRelease, type Release, releaseOf, releases } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { contract } from "./contract.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { sync } from "./sync.ts";
import {
  loadReference,
  type Pictured,
  picture,
  referenceName,
  referenceNames,
  referencePicture,
} from "./testing/reference.ts";
import { fillNewton, migratedRows, visibilityById } from "./testing/rows.ts";

const rows = 60;

/** Where `db sync` has something to do that the phases do otherwise, or not at all. */
const syncedFrom = ["newton", "ocata-expanded", "newton-expanded-to-zed", "pike-expanded", "rocky-expanded1"];

/** Since 2024.1 (database.md, section 2); the rest is Zed's. */
const cacheTables = {
  node_reference: [
    "CREATE TABLE `node_reference` (",
    "`node_reference_id` bigint(20) NOT NULL AUTO_INCREMENT",
    "`node_reference_url` varchar(255) NOT NULL",
    "PRIMARY KEY (`node_reference_id`)",
    "UNIQUE KEY `uq_node_reference_node_reference_url` (`node_reference_url`)",
    ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci",
  ],
  cached_images: [
    "CREATE TABLE `cached_images` (",
    "`id` bigint(20) NOT NULL AUTO_INCREMENT",
    "`image_id` varchar(36) NOT NULL",
    "`last_accessed` datetime NOT NULL",
    "`last_modified` datetime NOT NULL",
    "`size` bigint(20) NOT NULL",
    "`hits` int(11) NOT NULL",
    "`checksum` varchar(32) DEFAULT NULL",
    "`node_reference_id` bigint(20) NOT NULL",
    "PRIMARY KEY (`id`)",
    "KEY `node_reference_id` (`node_reference_id`)",
    "UNIQUE KEY `ix_cached_images_image_id_node_reference_id` (`image_id`,`node_reference_id`)",
    "CONSTRAINT `cached_images_ibfk_1` FOREIGN KEY (`node_reference_id`) REFERENCES `node_reference` (`node_reference_id`)",
    ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci",
  ],
};

/** The schema of a release that is done; no dump shows those after Zed. */
async function finished(release: Release): Promise<Pictured> {
  const { contracted } = release.heads;
  const name = referenceName([contracted]);
  if (name) return referencePicture(name);
  const { shape } = await referencePicture("zed");
  const caching = release.capabilities.cacheInDatabase ? cacheTables : {};
  return { shape: { ...shape, ...caching }, heads: [contracted] };
}

/** Between Newton and Ocata two things are not the reference's, each for zero downtime (ARCHITECTURE.md, deviations). */
function withDeviations({ shape, heads }: Pictured): Pictured {
  const triggers = shape.triggers ?? [];
  if (triggers.length === 0) return { shape, heads };
  const images = (shape.images ?? []).map((line) =>
    line.startsWith("`is_public`") ? "`is_public` tinyint(1) NOT NULL DEFAULT 2" : line,
  );
  const ours = ["perennial_insert_member", "perennial_update_member"];
  return { shape: { ...shape, images, triggers: [...triggers, ...ours].sort() }, heads };
}

/** Expand that ends, as by a signal, once this step is done. */
async function expandUpTo(db: Database, target: Release, step: string): Promise<void> {
  const stop = new AbortController();
  const expanding = expand({
    db,
    target,
    signal: stop.signal,
    on: (event) => {
      if (event.event === "step" && event.step === step && event.status === "applied") stop.abort(new Error("stopped"));
    },
  });
  await assert.rejects(expanding, /stopped/);
}

if (testDialects.includes("mysql")) {
  test("equality: the schemas that are kept are those the reference leaves after every phase", () => {
    assert.equal(referenceNames.length, 17);
  });

  for (const release of releases.filter((one) => one.revisions.length > 0 || one.id === "newton" || one.id === "zed"))
    test(`equality: a fresh database at ${release.id} is the reference's (mysql)`, () =>
      withTestDatabase("mysql", "empty", async ({ db }) => {
        await sync({ db, target: release });
        assert.deepEqual(await picture(db), await finished(release));
        if (release.id === "zed") assert.deepEqual((await picture(db)).shape, (await referencePicture("zed")).shape);
      }));

  test("equality: one release at a time, every phase leaves what the reference leaves (mysql)", () =>
    withTestDatabase("mysql", "newton", async ({ db }) => {
      await fillNewton(db, rows);
      const compared: string[] = [];
      const compare = async () => {
        const ours = await picture(db);
        const name = referenceName(ours.heads);
        if (!name) return;
        compared.push(name);
        assert.deepEqual(ours, withDeviations(await referencePicture(name)), name);
      };
      await compare();
      for (const target of releases) {
        if (target.id === "rocky") {
          await expandUpTo(db, target, "add index os_hidden_image_idx on images");
          await compare();
        }
        await expand({ db, target });
        if (target.revisions.length > 0) await compare();
        await migrate({ db, target });
        await contract({ db, target });
        assert.deepEqual(await picture(db), await finished(target));
        if (target.revisions.length > 0) await compare();
      }
      // Zed is Wallaby under another name, and the jump has its own test.
      const apart = ["zed", "newton-expanded-to-zed"];
      assert.deepEqual(
        compared.sort(),
        referenceNames.filter((name) => !apart.includes(name)),
      );
      assert.deepEqual(await visibilityById(db), migratedRows(rows));
    }));

  for (const [way, rebuildRowsMax] of [
    ["a switch of columns", 0],
    ["a rebuild", 5_000],
  ] as const)
    test(`equality: Newton to Zed in one go, contracted by ${way}, is the reference's after each phase (mysql)`, () =>
      withTestDatabase("mysql", "newton", async ({ db }) => {
        const options = { db, target: releaseOf("zed"), limits: { rebuildRowsMax } };
        await fillNewton(db, rows);
        await expand(options);
        assert.deepEqual(await picture(db), withDeviations(await referencePicture("newton-expanded-to-zed")));
        await migrate(options);
        await contract(options);
        assert.deepEqual(await picture(db), await referencePicture("zed"));
        assert.deepEqual(await visibilityById(db), migratedRows(rows));
      }));

  for (const [way, go, names] of [
    ["by phases", byPhases, referenceNames],
    ["by db sync", bySync, syncedFrom],
  ] as const)
    for (const name of names)
      test(`equality: from the reference's own ${name} to the newest release ${way} (mysql)`, () =>
        withTestDatabase("mysql", "empty", async ({ db }) => {
          await loadReference(db, name);
          const before = await fillAsFound(db);
          await go(db);
          assert.deepEqual(await picture(db), await finished(newestRelease));
          assert.deepEqual(await visibilityById(db), before);
        }));
}

async function byPhases(db: Database): Promise<void> {
  for (const phase of [expand, migrate, contract]) await phase({ db, target: newestRelease });
}

async function bySync(db: Database): Promise<void> {
  await sync({ db, target: newestRelease });
}

/** Rows as a node of that schema writes them; returns the visibility that each must have in the end. */
async function fillAsFound(db: Database): Promise<Readonly<Record<string, string>>> {
  const columns = (await picture(db)).shape.images?.join() ?? "";
  if (columns.includes("`is_public`")) {
    await fillNewton(db, rows);
    return migratedRows(rows);
  }
  const visibilities = ["community", "private", "public", "shared"];
  for (const visibility of visibilities)
    await db.run(
      "INSERT INTO images (id, status, visibility, created_at, deleted, min_disk, min_ram, protected) VALUES (?, 'active', ?, '2018-10-01 00:00:00', 0, 0, 0, 0)",
      [visibility, visibility],
    );
  return Object.fromEntries(visibilities.map((visibility) => [visibility, visibility]));
}
