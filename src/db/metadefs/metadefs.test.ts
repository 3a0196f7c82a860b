// Metadata definitions between files and database: what the files say arrives as Glance stores it, comes out again the same, and each
// way of loading does to what exists what it promises.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Database } from "../database.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { exportMetadefs, unloadMetadefs } from "./export.ts";
import { type LoadMode, loadMetadefs } from "./load.ts";
import { metadefTables } from "./metadef-rows.ts";

const cars = {
  namespace: "Test::Cars",
  display_name: "Cars & Vans_1",
  description: "Überland",
  visibility: "public",
  protected: true,
  owner: "garage",
  resource_type_associations: [{ name: "Test::Road", prefix: "car_", properties_target: "image" }],
  properties: { wheels: { title: "Räder", type: "integer", maximum: 4 }, doors: { type: "string", enum: ["a", "b"] } },
  objects: [{ name: "engine", description: "d", required: ["fuel", "size"], properties: { fuel: { type: "string" } } }],
  tags: [{ name: "fast" }, { name: "red" }],
};

async function folder(t: TestContext, files: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "perennial-metadefs-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files))
    await writeFile(join(path, name), typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

const outcomes = async (db: Database, path: string, mode: LoadMode = "skip") =>
  (await loadMetadefs({ db, path, mode })).map((one) => one.outcome);

/** The namespaces of a folder, by name. */
async function read(path: string): Promise<ReadonlyMap<string, Record<string, unknown>>> {
  const names = (await readdir(path)).filter((name) => name.endsWith(".json"));
  const parsed = names.map(async (name) => JSON.parse(await readFile(join(path, name), "utf8")));
  return new Map((await Promise.all(parsed)).map((one) => [one.namespace, one]));
}

async function rowCounts(db: Database): Promise<readonly number[]> {
  const counts: number[] = [];
  for (const table of metadefTables)
    counts.push(Number((await db.query<{ n: unknown }>(`SELECT COUNT(*) AS n FROM ${table}`))[0]?.n));
  return counts;
}

for (const dialect of testDialects) {
  test(`metadefs: a file arrives as Glance stores it, and comes out as it was (${dialect})`, (t) =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      const path = await folder(t, { "cars.json": cars });
      assert.deepEqual(await outcomes(db, path), ["added"]);
      const [object] = await db.query("SELECT required, json_schema FROM metadef_objects");
      assert.deepEqual(object, { required: "fuel,size", json_schema: '{"fuel": {"type": "string"}}' });
      const [wheels] = await db.query("SELECT json_schema FROM metadef_properties WHERE name = 'wheels'");
      assert.equal(wheels?.json_schema, '{"title": "R\\u00e4der", "type": "integer", "maximum": 4}');
      const [type] = await db.query<{ protected: unknown }>("SELECT protected FROM metadef_resource_types");
      assert.equal(Boolean(type?.protected), true);
      const out = await folder(t);
      assert.deepEqual(await exportMetadefs(db, out), [join(out, "CarsVans1.json")]);
      assert.deepEqual((await read(out)).get("Test::Cars"), cars);
      assert.equal(await unloadMetadefs(db), 1);
      assert.deepEqual(await rowCounts(db), [0, 0, 0, 0, 0, 0]);
    }));

  test(`metadefs: numbers that JavaScript would round stay as they were written (${dialect})`, (t) =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      const text = '{"namespace":"N","properties":{"p":{"maximum":9223372036854775807,"default":1.0,"minimum":1}}}';
      assert.deepEqual(await outcomes(db, await folder(t, { "n.json": text })), ["added"]);
      const schema = '{"maximum": 9223372036854775807, "default": 1.0, "minimum": 1}';
      assert.deepEqual(await db.query("SELECT json_schema FROM metadef_properties"), [{ json_schema: schema }]);
      const out = await folder(t);
      const [file = ""] = await exportMetadefs(db, out);
      assert.match(await readFile(file, "utf8"), /"maximum": 9223372036854775807,\s+"default": 1\.0,\s+"minimum": 1\s/);
    }));

  test(`metadefs: skip leaves, merge adds, prefer_new changes, overwrite replaces (${dialect})`, (t) =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await outcomes(db, await folder(t, { "cars.json": cars }));
      const newer = {
        namespace: "Test::Cars",
        display_name: "New",
        resource_type_associations: [{ name: "Test::Road", prefix: "new_" }, { name: "Test::Track" }],
        properties: { wheels: { title: "Wheels" }, seats: { type: "integer" } },
        objects: [{ name: "engine", properties: { power: {} } }],
        tags: [{ name: "red" }, { name: "blue" }],
      };
      const path = await folder(t, { "newer.json": newer });
      const now = async () => {
        const out = await folder(t);
        await exportMetadefs(db, out);
        return (await read(out)).get("Test::Cars") ?? {};
      };
      assert.deepEqual(await outcomes(db, path), ["skipped"]);
      assert.deepEqual(await now(), cars);

      assert.deepEqual(await outcomes(db, path, "merge"), ["merged"]);
      const merged = {
        ...cars,
        resource_type_associations: [...cars.resource_type_associations, { name: "Test::Track" }],
        properties: { ...cars.properties, seats: newer.properties.seats },
        tags: [...cars.tags, { name: "blue" }],
      };
      assert.deepEqual(await now(), merged);

      assert.deepEqual(await outcomes(db, path, "prefer_new"), ["merged"]);
      assert.deepEqual(await now(), {
        namespace: "Test::Cars",
        display_name: "New",
        resource_type_associations: newer.resource_type_associations,
        properties: { ...merged.properties, wheels: newer.properties.wheels },
        objects: newer.objects,
        tags: merged.tags,
      });

      assert.deepEqual(await outcomes(db, path, "overwrite"), ["replaced"]);
      assert.deepEqual(await now(), newer);
    }));

  test(`metadefs: a file that is wrong is named with what is wrong, and the others are loaded (${dialect})`, (t) =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      const wrong: Readonly<Record<string, readonly [content: unknown, why: RegExp]>> = {
        "a.json": ["{bad", /a\.json: not JSON: /],
        "b.json": [[], /b\.json: the file is not an object/],
        "c.json": [{ display_name: "x" }, /c\.json: the file has no namespace/],
        "d.json": [{ namespace: "x".repeat(81) }, /namespace has more than 80 characters/],
        "e.json": [{ namespace: "E", description: "\u{1f600}" }, /description has a character that cannot be stored/],
        "f.json": [{ namespace: "F", objects: [{ name: "o" }, {}] }, /objects\[1\] has no name/],
        "g.json": [{ namespace: "G", tags: [{ name: "t" }, { name: "t" }] }, /tags has two of the name t/],
        "h.json": [{ namespace: "H", visibility: "shared" }, /visibility is neither public nor private/],
        "i.json": [{ namespace: "I", protected: "yes" }, /protected is neither true nor false/],
        "j.json": [{ namespace: "J", properties: [] }, /properties is not an object/],
        "k.json": [{ namespace: "K", properties: { p: 1.5 } }, /properties\.p is not an object/],
        "l.json": [{ namespace: "L", objects: [{ name: "o", required: ["a,b"] }] }, /required is not a list/],
      };
      const contents = Object.entries(wrong).map(([name, [content]]) => [name, content] as const);
      const path = await folder(t, { ...Object.fromEntries(contents), "z.json": cars, "notes.txt": "none" });
      const loaded = await loadMetadefs({ db, path, mode: "skip" });
      assert.equal(loaded.length, contents.length + 1);
      for (const [index, [name, [, why]]] of Object.entries(wrong).entries()) {
        const one = loaded[index];
        assert(one?.outcome === "failed", name);
        assert.match(one.why, why);
      }
      assert.equal(loaded.at(-1)?.outcome, "added");
      assert.deepEqual(await rowCounts(db), [2, 1, 2, 1, 1, 1], "nothing of the wrong ones");
      await assert.rejects(loadMetadefs({ db, path: join(path, "none"), mode: "skip" }), /none: ENOENT/);
      await assert.rejects(loadMetadefs({ db, path: await folder(t), mode: "skip" }), /has no \*\.json file/);
      assert.deepEqual(await outcomes(db, join(path, "z.json")), ["skipped"], "one file, by its name");
    }));

  test(`metadefs: two that load the same at once leave it once (${dialect})`, (t) =>
    withTestDatabase(dialect, "newton", async ({ db, another }) => {
      const files = Array.from({ length: 8 }, (_, n) => [`${n}.json`, { ...cars, namespace: `N${n}` }] as const);
      const path = await folder(t, Object.fromEntries(files));
      const two = [await another(), await another()];
      const both = (await Promise.all(two.map((one) => outcomes(one, path)))).flat();
      assert.equal(both.filter((outcome) => outcome === "added").length, 8);
      assert.equal(both.filter((outcome) => outcome === "skipped").length, 8);
      assert.deepEqual(await rowCounts(db), [16, 8, 16, 8, 8, 1]);
      const out = await folder(t);
      const written = await exportMetadefs(db, out);
      assert.equal(new Set(written).size, 8, "one file each, though all have one display name");
      assert.deepEqual(
        [...(await read(out)).keys()].sort(),
        files.map(([, one]) => one.namespace),
      );
      assert.deepEqual((await readdir(out)).length, 8, "no partial file is left");
    }));
}

const shipped = ["/etc/glance/metadefs", "/usr/share/glance-common/metadefs"].find((path) => existsSync(path));
const skip = shipped ? false : "this machine has no files of metadata definitions (Debian package glance-common)";

for (const dialect of testDialects)
  test(`metadefs: what Glance ships is loaded whole, and comes out the same (${dialect})`, { skip }, (t) =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      const path = shipped ?? "";
      const loaded = await loadMetadefs({ db, path, mode: "skip" });
      assert.deepEqual([...new Set(loaded.map((one) => one.outcome))], ["added"]);
      const out = await folder(t);
      await exportMetadefs(db, out);
      assert.deepEqual(normal(await read(out)), normal(await read(path)));
    }),
  );

/** Associations are a set, and an empty part says as much as none. */
function normal(namespaces: ReadonlyMap<string, Record<string, unknown>>): unknown {
  const byName = (one: { name: string }, other: { name: string }) => (one.name < other.name ? -1 : 1);
  const entries = [...namespaces].map(([name, one]) => {
    const associations = (one.resource_type_associations ?? []) as { name: string }[];
    const parts = { ...one, resource_type_associations: associations.toSorted(byName) };
    const filled = Object.entries(parts).filter(
      ([, part]) => typeof part !== "object" || Object.keys(part ?? {}).length > 0,
    );
    return [name, Object.fromEntries(filled)] as const;
  });
  return new Map(entries.sort());
}
