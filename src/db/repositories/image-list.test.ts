// Lists against a model of them: random fleets of images, viewers, filters, orders and pages, on real databases.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isServiceError } from "../../core/errors.ts";
import type { Image, ImageMember } from "../../images/image.ts";
import type { ImageFilter, ImageQuery } from "../../images/ports.ts";
import type { Database } from "../database.ts";
import { testDialects, testOnDatabases, withTestDatabase } from "../testing/databases.ts";
import { admin, draft, newest, newton, nodeOf, ocata, project } from "../testing/images.ts";
import { expectedIds, isListed, type World } from "../testing/list-model.ts";

const states = [
  ["newton", newton],
  ["expanded", newton],
  ["expanded", ocata],
  ["ocata", ocata],
  ["newton-to-newest", newest],
  ["newest", newest],
] as const;
const names = new Map([
  [newton, "newton"],
  [ocata, "ocata"],
  [newest, "the newest"],
]);
const projects = ["alice", "bob", "carol"];
const defaultSort = [
  { key: "created_at", direction: "desc" },
  { key: "id", direction: "desc" },
] as const;
const query = (changes: Partial<ImageQuery> = {}): ImageQuery => ({
  viewer: admin,
  filters: [],
  memberStatus: "accepted",
  sort: defaultSort,
  limit: 25,
  ...changes,
});

/** Deterministic, so that a seed names a failure. */
const pick = <T>(values: readonly T[], at: number): T => values[at % values.length] as T;

async function populate(db: Database, capabilities: typeof newton): Promise<World> {
  const { images, members } = nodeOf(db, capabilities);
  const made: string[] = [];
  for (let at = 0; at < 48; at++) {
    const { id } = await images.create(
      draft({
        id: `${String((at * 37) % 100).padStart(8, "0")}-0000-4000-8000-000000000000`,
        name: at % 7 === 0 ? null : `name-${at % 5}`,
        owner: at % 11 === 0 ? null : pick(projects, at),
        visibility: pick(capabilities.visibilities, at + Math.floor(at / 7)),
        diskFormat: pick(["raw", "qcow2", null], at),
        protected: at % 4 === 0,
        hidden: capabilities.hiding && at % 5 === 1,
        minRamMb: at % 3,
        tags: at % 2 ? ["odd", `t${at % 3}`] : [],
        properties: at % 3 ? { os: pick(["linux", "bsd"], at), n: String(at % 4) } : {},
      }),
    );
    made.push(id);
    // Ties in created_at are common, and NULLs in what is sorted by.
    const day = String(1 + (at % 9)).padStart(2, "0");
    await db.run("update images set created_at = ?, updated_at = ?, size = ? where id = ?", [
      db.dialect.encodeTime(`2026-01-${day}T00:00:00Z`),
      db.dialect.encodeTime(`2026-02-${day}T00:00:0${at % 10}Z`),
      at % 5 === 0 ? null : (at * 13) % 7,
      id,
    ]);
    const takesMembers = capabilities.membersOnSharedOnly ? "shared" : "private";
    if (pick(capabilities.visibilities, at + Math.floor(at / 7)) === takesMembers)
      for (const member of projects.filter((_, which) => (at >> which) % 2)) {
        await members.add(id, member, -1);
        if (at % 3) await members.setStatus(id, member, pick(["accepted", "rejected"], at));
        if (at % 13 === 5) await members.remove(id, member);
      }
  }
  // What no list may show.
  const gone = await images.create(draft({ visibility: "public" }));
  await images.remove(gone.id, { leaseId: "l", node: "n", leaseSeconds: 60 });
  const killed = await images.create(draft({ visibility: "public" }));
  await db.run("update images set status = 'killed' where id = ?", [killed.id]);
  const found: Image[] = [];
  const allMembers: ImageMember[] = [];
  for (const id of made) {
    const image = await images.find(id, admin);
    assert(image);
    found.push(image);
    allMembers.push(...(await members.list(id)));
  }
  return { images: found, members: allMembers };
}

function arbitraryQuery(capabilities: typeof newton): fc.Arbitrary<ImageQuery> {
  const direction = fc.constantFrom("asc" as const, "desc" as const);
  const key = fc.constantFrom(
    "name",
    "status",
    "container_format",
    "disk_format",
    "size",
    "updated_at",
    "created_at",
    "id",
  );
  const filter = fc.oneof(
    fc.constantFrom<ImageFilter>(
      { kind: "column", column: "name", values: ["name-1"] },
      { kind: "column", column: "name", values: ["name-2", "name-3", "nobody's"] },
      { kind: "column", column: "owner", values: ["alice"] },
      { kind: "column", column: "owner", values: [null] },
      { kind: "column", column: "owner", values: [] },
      { kind: "column", column: "disk_format", values: ["raw", null] },
      { kind: "column", column: "protected", values: [true] },
      { kind: "column", column: "min_ram", values: [2] },
      { kind: "column", column: "status", values: ["queued", "active"] },
      {
        kind: "column",
        column: "id",
        values: ["00000037-0000-4000-8000-000000000000", "00000074-0000-4000-8000-000000000000"],
      },
      { kind: "bound", column: "size", bound: "min", value: 3 },
      { kind: "bound", column: "min_ram", bound: "max", value: 1 },
      { kind: "tag", tag: "odd" },
      { kind: "tag", tag: "t1" },
      { kind: "property", name: "os", value: "linux" },
      { kind: "property", name: "n", value: "2" },
    ),
    fc.record({
      kind: fc.constant("time" as const),
      column: fc.constantFrom("created_at" as const, "updated_at" as const),
      operator: fc.constantFrom(
        "eq" as const,
        "neq" as const,
        "gt" as const,
        "gte" as const,
        "lt" as const,
        "lte" as const,
      ),
      value: fc.constantFrom("2026-01-04T00:00:00Z", "2026-02-03T00:00:02Z"),
    }),
  );
  return fc
    .record({
      viewer: fc.constantFrom(
        admin,
        { projectId: "alice", isAdmin: true },
        project(null),
        project("nobody"),
        ...projects.map(project),
      ),
      hidden: fc.boolean(),
      visibility: fc.option(fc.constantFrom(...capabilities.visibilityFilters), { nil: undefined }),
      memberStatus: fc.constantFrom("accepted" as const, "pending" as const, "rejected" as const, "all" as const),
      filters: fc.array(filter, { maxLength: 2 }),
      keys: fc.uniqueArray(fc.record({ key, direction }), { maxLength: 2, selector: (term) => term.key }),
      tie: direction,
      limit: fc.constantFrom(1, 3, 7, 25, 100),
    })
    .map(({ keys, tie, visibility, hidden, ...others }) => {
      const rest = capabilities.hiding ? { ...others, hidden } : others;
      const missing = (["created_at", "id"] as const).filter((tieKey) => !keys.some((term) => term.key === tieKey));
      const sort = [...keys, ...missing.map((tieKey) => ({ key: tieKey, direction: tie }))] as ImageQuery["sort"];
      return visibility === undefined ? { ...rest, sort } : { ...rest, sort, visibility };
    });
}

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));

for (const [state, capabilities] of states) {
  testOnDatabases(
    `lists as ${names.get(capabilities)}: what the model says, page by page`,
    state,
    async ({ db }, context) => {
      context.diagnostic(`seed ${seed} (SEED=...)`);
      const { images } = nodeOf(db, capabilities);
      const world = await populate(db, capabilities);
      await fc.assert(
        fc.asyncProperty(arbitraryQuery(capabilities), async (made) => {
          const seen: string[] = [];
          for (let at: ImageQuery = made; ; ) {
            const page = await images.list(at);
            assert.deepEqual(
              page.map((image) => image.id),
              expectedIds(world, at, capabilities),
            );
            for (const image of page)
              assert.deepEqual(
                image,
                world.images.find((known) => known.id === image.id),
                "complete, with all its parts",
              );
            seen.push(...page.map((image) => image.id));
            const last = page.at(-1);
            if (!last || page.length < made.limit) break;
            at = { ...made, marker: last.id };
          }
          assert.equal(new Set(seen).size, seen.length, "no image twice");
          const all = world.images.filter((image) => isListed(world, image, made, capabilities));
          assert(seen.length <= all.length);
        }),
        { seed, numRuns: 80 },
      );
    },
  );
}

testOnDatabases("lists: an unknown, deleted or invisible marker is refused", "ocata", async ({ db }) => {
  const { images } = nodeOf(db, ocata);
  const mine = await images.create(draft({ owner: "alice" }));
  const gone = await images.create(draft({ owner: "bob" }));
  await images.remove(gone.id, { leaseId: "l", node: "n", leaseSeconds: 60 });
  const refused = (error: unknown) => isServiceError(error, "images.bad_query");
  await assert.rejects(images.list(query({ marker: "nothing" })), refused);
  await assert.rejects(images.list(query({ marker: gone.id })), refused);
  await assert.rejects(images.list(query({ marker: mine.id, viewer: project("bob") })), refused);
  assert.deepEqual(await images.list(query({ marker: mine.id, viewer: project("alice") })), []);
  assert.deepEqual(await images.list(query({ limit: 0 })), []);
});

for (const dialect of testDialects)
  test(`lists: they work without our indexes, and with indexes that come and go (${dialect})`, async () => {
    await withTestDatabase(dialect, "newest", async ({ db, another }) => {
      const { images } = nodeOf(db, newest);
      await images.create(draft({ visibility: "public" }));
      const viewers = [admin, project("alice"), project("bob")];
      const all = async (node: typeof images) =>
        Promise.all(viewers.map(async (viewer) => (await node.list(query({ viewer }))).length));
      assert.deepEqual(await all(images), [1, 1, 1]);
      const rows = await db.query<{ name: string }>(db.dialect.indexNamesSql);
      const drop = (name: string, table: string) =>
        dialect === "mysql" ? `drop index ${name} on ${table}` : `drop index ${name}`;
      for (const { name } of rows)
        if (/^perennial_(images|members)_/.test(name))
          await db.session((session) => session.run(drop(name, name.includes("members") ? "image_members" : "images")));
      // One that knew them, one that never did.
      assert.deepEqual(await all(images), [1, 1, 1]);
      assert.deepEqual(await all(nodeOf(await another(), newest).images), [1, 1, 1]);
    });
  });

testOnDatabases(
  "lists: numbers no column can hold match what they should: nothing, or all",
  "ocata",
  async ({ db }) => {
    const { images } = nodeOf(db, ocata);
    await images.create(draft({ minRamMb: 512, minDiskGb: 1 }));
    const count = async (filter: ImageQuery["filters"][number]) =>
      (await images.list(query({ filters: [filter] }))).length;
    const huge = Number.MAX_SAFE_INTEGER;
    for (const column of ["min_ram", "min_disk"] as const)
      for (const value of [huge, -huge])
        assert.equal(await count({ kind: "column", column, values: [value] }), 0, `${value}`);
    assert.equal(await count({ kind: "column", column: "min_ram", values: [huge, 512] }), 1);
    assert.equal(await count({ kind: "column", column: "size", values: [huge] }), 0);
  },
);
