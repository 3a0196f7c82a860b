// What is left of deleted images: who removes the data, under which lease.
import assert from "node:assert/strict";
import { testOnDatabases } from "../testing/databases.ts";
import { draft, nodeOf, ocata } from "../testing/images.ts";

const data = (url: string) => ({
  url,
  metadata: {},
  sizeBytes: 3,
  checksum: "0".repeat(32),
  hash: null,
  virtualSizeBytes: null,
});
const cleanup = { leaseId: "cleaner", node: "n2", leaseSeconds: 60 };

testOnDatabases("removal: the deletion itself leases the data to its cleaner", "ocata", async ({ db }) => {
  const { images, uploads } = nodeOf(db, ocata);
  const { id } = await images.create(draft());
  const upload = { imageId: id, leaseId: "writer", node: "n1", urls: ["file:///a"] };
  assert(await uploads.begin(upload, 60));
  assert.equal(await uploads.finish(upload, data("file:///a")), "held");
  const removed = await images.remove(id, cleanup);
  assert.deepEqual(removed?.cleanup, { imageId: id, leaseId: "cleaner", node: "n2", urls: ["file:///a"] });
  const [row] = await db.query("select status, deleted from image_locations where image_id = ?", [id]);
  assert.deepEqual([row?.status, Boolean(row?.deleted)], ["deleted", true]);
  assert(removed?.cleanup);
  assert.equal(await uploads.renew(removed.cleanup, 60), "image_gone");
  await uploads.abandon(removed.cleanup);
  assert.deepEqual(await db.query("select image_id from perennial_uploads"), []);
  const [image] = await db.query("select status, size from images where id = ?", [id]);
  assert.deepEqual(image, { status: "deleted", size: 3 }, "a deleted image stays as it was");
});

testOnDatabases("removal: a deletion under an upload leaves the data to the upload", "ocata", async ({ db }) => {
  const { images, uploads } = nodeOf(db, ocata);
  const { id } = await images.create(draft());
  const upload = { imageId: id, leaseId: "writer", node: "n1", urls: ["file:///a"] };
  assert(await uploads.begin(upload, 60));
  assert.deepEqual(await images.remove(id, cleanup), { cleanup: null });
  assert.equal(await uploads.renew(upload, 60), "image_gone");
  assert.equal(await uploads.finish(upload, data("file:///a")), "image_gone");
  assert.deepEqual(await db.query("select lease_id from perennial_uploads"), [{ lease_id: "writer" }]);
  await uploads.abandon(upload);
  assert.deepEqual(await db.query("select lease_id from perennial_uploads"), []);
});

testOnDatabases(
  "removal: what a deletion finds under another cleaner's lease is removed after it",
  "ocata",
  async ({ db }) => {
    const { images, uploads } = nodeOf(db, ocata);
    const { id } = await images.create(draft());
    const upload = { imageId: id, leaseId: "writer", node: "n1", urls: ["file:///a"] };
    assert(await uploads.begin(upload, 60));
    assert.equal(await uploads.finish(upload, data("file:///a")), "held");
    const second = { url: "file:///b", metadata: {}, status: "active" };
    const changes = { add: [second], note: [], remove: [], locationsMax: -1, cleanup };
    await images.update(id, { set: {}, locations: changes });
    const first = await images.removeLocation(id, "file:///a", { ...cleanup, leaseId: "first" });
    assert.deepEqual(await images.remove(id, cleanup), { cleanup: null }, "the other holds the lease");
    assert.equal(await first.takeBack([]), false, "the image is gone with all its locations");
    await uploads.abandon(first.cleanup);
    const left = await uploads.find(id);
    assert.deepEqual(left?.lease.urls, ["file:///b"], "its data is nobody else's to remove");
    await uploads.abandon(left.lease);
    assert.equal(await uploads.find(id), undefined);
  },
);
