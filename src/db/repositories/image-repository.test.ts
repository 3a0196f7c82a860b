// Images in real databases, at both releases, before and after the upgrade and in the middle of it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { isServiceError } from "../../core/errors.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { admin, draft, newton, nodeOf, ocata, project } from "../testing/images.ts";

const states = [
  ["newton", newton],
  ["expanded", newton],
  ["expanded", ocata],
  ["ocata", ocata],
] as const;

const cleanup = { leaseId: "lease-1", node: "n1", leaseSeconds: 60 };
const code = (name: string) => (error: unknown) => isServiceError(error) && error.code === name;

for (const [state, capabilities] of states) {
  const as = capabilities === newton ? "newton" : "ocata";
  const promise = (title: string) => `images as ${as}: ${title}`;

  testOnDatabases(promise("what was created is what is found"), state, async ({ db }) => {
    const { images } = nodeOf(db, capabilities);
    const wanted = draft({
      name: "Grüße",
      visibility: "public",
      protected: true,
      tags: ["a", "b", "a"],
      properties: {
        os: "linux",
        empty: "",
        none: null,
        __proto__x: "1",
        [`long-${"x".repeat(200)}`]: "v".repeat(5_000),
      },
    });
    const created = await images.create(wanted);
    assert.match(created.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const found = await images.find(wanted.id, admin);
    assert.deepEqual(found, created);
    assert.deepEqual(found?.tags.toSorted(), ["a", "b"]);
    assert.deepEqual([found?.status, found?.sizeBytes, found?.protected], ["queued", null, true]);
    const bare = draft({ name: null, diskFormat: null, containerFormat: null, owner: null });
    assert.deepEqual(
      await images.find((await images.create(bare)).id, admin),
      await images.find(bare.id, project(null)),
    );
  });

  testOnDatabases(promise("an id is never used twice, not even after deletion"), state, async ({ db }) => {
    const { images } = nodeOf(db, capabilities);
    const one = draft({ tags: ["kept"], properties: { a: "1" } });
    await images.create(one);
    await assert.rejects(images.create(one), code("images.duplicate"));
    assert.deepEqual((await images.find(one.id, admin))?.tags, ["kept"]);
    await images.remove(one.id, cleanup);
    await assert.rejects(images.create(draft({ id: one.id })), code("images.duplicate"));
  });

  testOnDatabases(promise("a change leaves alone what it does not name"), state, async ({ db }) => {
    const { images } = nodeOf(db, capabilities);
    const { id } = await images.create(draft({ visibility: "public", tags: ["t"], properties: { a: "1", b: "2" } }));
    const named = await images.update(id, { set: { name: "renamed", minDiskGb: 7 } });
    assert.deepEqual([named.name, named.minDiskGb, named.visibility, named.tags], ["renamed", 7, "public", ["t"]]);
    assert.deepEqual(named.properties, { a: "1", b: "2" });
    const hidden = await images.update(id, { set: { visibility: "private" } });
    assert.deepEqual([hidden.visibility, hidden.name], ["private", "renamed"]);
    assert.deepEqual(await images.find(id, admin), hidden);
    await assert.rejects(images.update(randomUUID(), { set: { name: "x" } }), code("images.not_found"));
  });

  testOnDatabases(promise("properties and tags come, change, go and come back"), state, async ({ db }) => {
    const { images } = nodeOf(db, capabilities);
    const { id } = await images.create(draft({ tags: ["a", "b"], properties: { keep: "1", drop: "2", null: null } }));
    const first = await images.update(id, {
      set: {},
      properties: { set: { keep: "one", added: "3" }, remove: ["drop", "unknown"] },
      tags: ["b", "c"],
    });
    assert.deepEqual(first.properties, { keep: "one", null: null, added: "3" });
    assert.deepEqual(first.tags.toSorted(), ["b", "c"]);
    const second = await images.update(id, {
      set: {},
      properties: { set: { drop: "again" }, remove: ["added"] },
      tags: ["a"],
    });
    assert.deepEqual(second.properties, { keep: "one", null: null, drop: "again" });
    assert.deepEqual(second.tags, ["a"]);
    assert.deepEqual(await images.find(id, admin), second);
    const rows = await db.query("select id from image_properties where image_id = ? and name = 'drop'", [id]);
    assert.equal(rows.length, 1, "a property that comes back is its old row");
  });

  testOnDatabases(promise("a property that only changes its case is renamed, not lost"), state, async ({ db }) => {
    const { images } = nodeOf(db, capabilities);
    const { id } = await images.create(draft({ properties: { Foo: "1" } }));
    const renamed = await images.update(id, { set: {}, properties: { set: { foo: "2" }, remove: ["Foo"] } });
    assert.deepEqual(renamed.properties, { foo: "2" });
    // Where the column's collation takes both for one name, the second is refused; nothing is overwritten silently.
    const both = await images.update(id, { set: {}, properties: { set: { Foo: "3" }, remove: [] } }).catch((error) => {
      assert(isServiceError(error, "images.invalid"), String(error));
      return images.find(id, admin);
    });
    assert.equal(both?.properties.foo, "2");
  });

  testOnDatabases(
    promise("two changes at once of different properties both survive"),
    state,
    async ({ db, another }) => {
      const { images } = nodeOf(db, capabilities);
      const other = nodeOf(await another(), capabilities).images;
      const { id } = await images.create(draft({ properties: { base: "0" } }));
      await Promise.all(
        Array.from({ length: 12 }, (_, at) =>
          (at % 2 ? images : other).update(id, {
            set: {},
            properties: { set: { [`p${at}`]: String(at) }, remove: [] },
            tags: ["same"],
          }),
        ),
      );
      const image = await images.find(id, admin);
      assert.equal(Object.keys(image?.properties ?? {}).length, 13);
      const tags = await db.query("select id from image_tags where image_id = ? and deleted = false", [id]);
      assert.equal(tags.length, 1, "the tag was added once");
    },
  );

  testOnDatabases(promise("status changes only from where it may, and to one caller"), state, async ({ db }) => {
    const { images } = nodeOf(db, capabilities);
    const { id } = await images.create(draft());
    const winners = await Promise.all(Array.from({ length: 5 }, () => images.changeStatus(id, ["queued"], "saving")));
    assert.equal(winners.filter(Boolean).length, 1);
    await db.run("update images set size = 5, virtual_size = 6 where id = ?", [id]);
    assert.equal(await images.changeStatus(id, ["active", "saving"], "queued"), true);
    const image = await images.find(id, admin);
    assert.deepEqual([image?.status, image?.sizeBytes, image?.virtualSizeBytes], ["queued", null, null]);
    await assert.rejects(
      images.update(id, { set: { diskFormat: "raw" }, whileStatus: ["active"] }),
      (error) => isServiceError(error, "images.status_conflict") && error.facts.status === "queued",
    );
    assert.equal((await images.find(id, admin))?.diskFormat, "qcow2");
  });

  testOnDatabases(promise("deletion marks the image and all that hangs on it"), state, async ({ db }) => {
    const { images, members } = nodeOf(db, capabilities);
    const shared = capabilities.membersOnSharedOnly ? "shared" : "private";
    const { id } = await images.create(draft({ visibility: shared, tags: ["t"], properties: { a: "1" } }));
    await members.add(id, "bob", -1);
    assert.deepEqual(await images.remove(id, cleanup), { cleanup: null });
    assert.equal(await images.remove(id, cleanup), undefined);
    assert.equal(await images.find(id, admin), undefined);
    for (const table of ["images", "image_properties", "image_tags", "image_members"]) {
      const column = table === "images" ? "id" : "image_id";
      const [row] = await db.query(`select deleted, deleted_at from ${table} where ${column} = ?`, [id]);
      assert.deepEqual([Boolean(row?.deleted), typeof row?.deleted_at], [true, "string"], table);
    }
    const guarded = await images.create(draft({ protected: true }));
    await assert.rejects(images.remove(guarded.id, cleanup), code("images.forbidden"));
  });

  testOnDatabases(promise("tags are added once, counted, compared exactly"), state, async ({ db }) => {
    const { images } = nodeOf(db, capabilities);
    const { id } = await images.create(draft());
    await images.addTag(id, "Linux", 2);
    await images.addTag(id, "Linux", 2);
    await images.addTag(id, "linux", 2);
    await images.addTag(id, "linux", 2);
    await assert.rejects(images.addTag(id, "third", 2), code("images.over_limit"));
    await images.addTag(id, "third", -1);
    assert.equal(await images.removeTag(id, "LINUX"), false);
    assert.equal(await images.removeTag(id, "linux"), true);
    assert.equal(await images.removeTag(id, "linux"), false);
    assert.deepEqual((await images.find(id, admin))?.tags, ["Linux", "third"]);
    await assert.rejects(images.addTag(randomUUID(), "x", 5), code("images.not_found"));
  });
}

testOnDatabases("images: storage is counted by location, of live images with data", "ocata", async ({ db }) => {
  const { images, uploads } = nodeOf(db, ocata);
  const upload = async (owner: string | null, sizeBytes: number) => {
    const { id } = await images.create(draft({ owner }));
    const lease = { imageId: id, leaseId: "l", node: "n", urls: ["file:///x"] };
    assert(await uploads.begin(lease, 60));
    const data = {
      url: "file:///x",
      metadata: {},
      sizeBytes,
      checksum: "0".repeat(32),
      hash: null,
      virtualSizeBytes: null,
    };
    assert.equal(await uploads.finish(lease, data), "held");
    return id;
  };
  const big = 2 ** 42;
  await upload("alice", big);
  const gone = await upload("alice", 5);
  await upload("bob", 7);
  await upload(null, 9);
  assert.deepEqual(await Promise.all(["alice", "bob", null, "carol"].map((owner) => images.storageUsed(owner))), [
    big + 5,
    7,
    9,
    0,
  ]);
  await images.remove(gone, cleanup);
  assert.equal(await images.storageUsed("alice"), big);
});
