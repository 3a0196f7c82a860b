// A removal that is taken back leaves the rows as they were, whichever release wrote them.
import assert from "node:assert/strict";
import type { Database } from "../database.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { admin, draft, newest, newton, nodeOf, ocata, project } from "../testing/images.ts";
import { insertLocation } from "./image-children.ts";

const cleanup = { leaseId: "cleaner", node: "n2", leaseSeconds: 60 };
const urls = ["file:///a", "file:///b"];

async function stored(db: Database, capabilities: typeof newton, changes: Parameters<typeof draft>[0]) {
  const node = nodeOf(db, capabilities);
  const { id } = await node.images.create(draft({ tags: ["one", "two"], properties: { kept: "1" }, ...changes }));
  const lease = { imageId: id, leaseId: "writer", node: "n1", urls: ["file:///a"] };
  assert(await node.uploads.begin(lease, 60));
  const data = { sizeBytes: 3, checksum: "0".repeat(32), hash: null, virtualSizeBytes: null };
  assert.equal(await node.uploads.finish(lease, { url: "file:///a", metadata: {}, ...data }), "held");
  const now = db.dialect.encodeTime(new Date().toISOString());
  await insertLocation(db, id, { url: "file:///b", metadata: {} }, now);
  return { ...node, id };
}

for (const [title, state, capabilities, visibility] of [
  ["Ocata", "ocata", ocata, "shared"],
  ["Newton in a mixed fleet", "expanded", newton, "private"],
  ["the newest", "newest", newest, "shared"],
] as const)
  testOnDatabases(`removal taken back: ${title} has the image as it was`, state, async ({ db }) => {
    const { images, members, uploads, id } = await stored(db, capabilities, { visibility });
    await members.add(id, "bob", 5);
    await images.update(id, { set: {}, properties: { set: {}, remove: ["kept"] } });
    await images.update(id, { set: {}, properties: { set: { kept: "2" }, remove: [] } });
    await images.addTag(id, "gone", 9);
    await images.removeTag(id, "gone");
    const before = await images.find(id, admin);
    const removed = await images.remove(id, cleanup);
    assert(removed?.cleanup);
    assert.equal(await images.find(id, admin), undefined);
    assert.equal(await removed.takeBack([]), true);
    assert.deepEqual(await images.find(id, admin), before);
    assert.deepEqual(
      (await members.list(id)).map(({ memberId }) => memberId),
      ["bob"],
    );
    assert.deepEqual((await images.find(id, project("bob")))?.id, id);
    assert.deepEqual(await db.query("select image_id from perennial_uploads"), []);
    assert.equal(await removed.takeBack([]), false, "once");
    assert.equal(await uploads.renew(removed.cleanup, 60), "lease_lost");
    const again = await images.remove(id, { ...cleanup, leaseId: "again" });
    assert(again?.cleanup);
    assert.equal(await again.takeBack(["file:///a"]), true);
    assert.deepEqual(
      (await images.find(id, admin))?.locations.map(({ url }) => url),
      ["file:///b"],
    );
  });

testOnDatabases(
  "removal taken back: an owner's later `private` stands in a mixed fleet",
  "expanded",
  async ({ db }) => {
    const { images, members, id } = await stored(db, ocata, { visibility: "shared" });
    await members.add(id, "bob", 5);
    await images.update(id, { set: { visibility: "private" } });
    const removed = await images.remove(id, cleanup);
    assert(removed?.cleanup && (await removed.takeBack([])));
    assert.equal((await images.find(id, admin))?.visibility, "private");
  },
);

testOnDatabases("removal taken back: never after the lease was taken over", "ocata", async ({ db }) => {
  const { images, id } = await stored(db, ocata, {});
  const removed = await images.remove(id, cleanup);
  assert(removed?.cleanup);
  await db.run("update perennial_uploads set lease_id = 'reaper' where image_id = ?", [id]);
  assert.equal(await removed.takeBack([]), false);
  assert.equal(await images.find(id, admin), undefined);
});

testOnDatabases(
  "removal taken back: one location comes back, unless the image went meanwhile",
  "newest",
  async ({ db }) => {
    const { images, id } = await stored(db, newest, {});
    const shown = async () => (await images.find(id, admin))?.locations.map(({ url }) => url);
    const first = await images.removeLocation(id, "file:///a", cleanup);
    assert.deepEqual(await shown(), ["file:///b"]);
    assert.equal(await first.takeBack([]), true);
    assert.deepEqual(await shown(), urls);
    const second = await images.removeLocation(id, "file:///a", cleanup);
    assert.deepEqual(await images.remove(id, { ...cleanup, leaseId: "deletes" }), { cleanup: null });
    assert.equal(await second.takeBack([]), false);
    assert.equal(await shown(), undefined);
  },
);
