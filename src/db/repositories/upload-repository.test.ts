// Uploads in real databases: the status machine under leases, and several processes at once.
import assert from "node:assert/strict";
import type { UploadLease } from "../../images/ports.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { admin, draft, newton, nodeOf, ocata } from "../testing/images.ts";

const lease = (imageId: string, leaseId = "writer"): UploadLease => ({
  imageId,
  leaseId,
  node: "n1",
  urls: [`file:///images/${imageId}`],
});
const data = (imageId: string) => ({
  url: `file:///images/${imageId}`,
  metadata: { store: "fäst" },
  sizeBytes: 2 ** 40 + 1,
  checksum: "d41d8cd98f00b204e9800998ecf8427e",
  hash: null,
  virtualSizeBytes: null,
});

for (const [state, capabilities] of [
  ["newton", newton],
  ["ocata", ocata],
] as const) {
  const as = capabilities === newton ? "newton" : "ocata";

  testOnDatabases(`uploads as ${as}: queued, saving, active with its data`, state, async ({ db }) => {
    const { images, uploads } = nodeOf(db, capabilities);
    const { id, visibility } = await images.create(draft({ visibility: capabilities.visibilityDefault }));
    assert.equal(await uploads.begin(lease(id), 60), true);
    assert.equal((await images.find(id, admin))?.status, "saving");
    assert.equal(await uploads.begin(lease(id, "second"), 60), false);
    assert.equal(await uploads.renew(lease(id), 60), "held");
    assert.equal(await uploads.finish(lease(id), data(id)), "held");
    const image = await images.find(id, admin);
    assert.deepEqual(
      [image?.status, image?.sizeBytes, image?.checksum, image?.visibility],
      ["active", 2 ** 40 + 1, data(id).checksum, visibility],
    );
    assert.deepEqual(image?.locations, [{ url: data(id).url, metadata: { store: "fäst" }, status: "active" }]);
    const [row] = await db.query("select meta_data from image_locations where image_id = ?", [id]);
    assert.equal(row?.meta_data, '{"store": "f\\u00e4st"}', "spelt as Python does");
    assert.deepEqual(await db.query("select image_id from perennial_uploads"), []);
    assert.equal(await uploads.finish(lease(id), data(id)), "lease_lost");
  });
}

testOnDatabases("uploads: giving up returns the image to queued, once", "ocata", async ({ db }) => {
  const { images, uploads } = nodeOf(db, ocata);
  const { id } = await images.create(draft());
  await uploads.begin(lease(id), 60);
  await uploads.abandon(lease(id, "stranger"));
  assert.equal((await images.find(id, admin))?.status, "saving", "not by who holds no lease");
  await uploads.abandon(lease(id));
  assert.equal((await images.find(id, admin))?.status, "queued");
  assert(await uploads.begin(lease(id, "next"), 60));
  await uploads.abandon(lease(id));
  assert.equal((await images.find(id, admin))?.status, "saving", "a late reply to the first does not touch the next");
});

testOnDatabases(
  "uploads: an expired lease is taken over by one, and its writer learns it",
  "ocata",
  async ({ db, another }) => {
    const { images, uploads } = nodeOf(db, ocata);
    const others = await Promise.all([another(), another()]);
    const { id } = await images.create(draft());
    const alive = await images.create(draft());
    await uploads.begin(lease(id), -5);
    await uploads.begin(lease(alive.id), 60);
    const options = { leaseSeconds: 60, rowsMax: 10 };
    const reapers = [uploads, ...others.map((other) => nodeOf(other, ocata).uploads)];
    const taken = (await Promise.all(reapers.map((reaper, at) => reaper.reclaim(`reaper${at}`, options)))).flat();
    assert.equal(taken.length, 1);
    const [mine] = taken;
    assert(mine);
    assert.deepEqual([mine.imageId, mine.urls], [id, lease(id).urls]);
    assert.notEqual(mine.leaseId, "writer");
    assert.equal(await uploads.renew(lease(id), 60), "lease_lost");
    assert.equal(await uploads.finish(lease(id), data(id)), "lease_lost");
    assert.equal((await images.find(id, admin))?.status, "saving");
    await uploads.abandon(mine);
    assert.equal((await images.find(id, admin))?.status, "queued");
    assert.deepEqual(await uploads.reclaim("again", options), []);
  },
);

testOnDatabases("uploads: a late writer that renews before the reaper keeps its lease", "ocata", async ({ db }) => {
  const { images, uploads } = nodeOf(db, ocata);
  const { id } = await images.create(draft());
  await uploads.begin(lease(id), -5);
  assert.equal(await uploads.renew(lease(id), 60), "held");
  assert.deepEqual(await uploads.reclaim("reaper", { leaseSeconds: 60, rowsMax: 10 }), []);
});

testOnDatabases(
  "uploads: a lease left on a queued image keeps new data away until it is cleaned up",
  "ocata",
  async ({ db }) => {
    const { images, uploads } = nodeOf(db, ocata);
    const { id } = await images.create(draft());
    await uploads.begin(lease(id), -5);
    await images.changeStatus(id, ["saving"], "queued");
    assert.equal(await uploads.begin(lease(id, "next"), 60), false);
    assert.equal((await images.find(id, admin))?.status, "queued");
    const [mine] = await uploads.reclaim("reaper", { leaseSeconds: 60, rowsMax: 10 });
    assert(mine);
    await uploads.abandon(mine);
    assert.equal(await uploads.begin(lease(id, "next"), 60), true);
  },
);

testOnDatabases("uploads: a lease is replaced by who knows it, which fences its holder", "ocata", async ({ db }) => {
  const { images, uploads } = nodeOf(db, ocata);
  const { id } = await images.create(draft());
  assert.equal(await uploads.find(id), undefined);
  await uploads.begin(lease(id), 60);
  assert.deepEqual(await uploads.find(id), { lease: lease(id), expired: false });
  const next = { ...lease(id, "next"), node: "n2", urls: ["file:///images/x", "perennial-part:0@next"] };
  assert.equal(await uploads.replace(lease(id, "stranger"), next, 60), false);
  assert.equal(await uploads.replace(lease(id), next, 60), true);
  assert.equal(await uploads.replace(lease(id), lease(id, "late"), 60), false);
  assert.equal(await uploads.renew(lease(id), 60), "lease_lost");
  assert.equal(await uploads.replace(next, next, 60), true, "by itself, which extends it");
  assert.deepEqual(await uploads.find(id), { lease: next, expired: false });
  await uploads.replace(next, next, -60);
  assert.deepEqual(await uploads.find(id), { lease: next, expired: true });
});
