// One location of several taken away with a lease on its data, and metadata written without touching the image.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { isServiceError } from "../../core/errors.ts";
import type { Database } from "../database.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { admin, draft, newest, nodeOf } from "../testing/images.ts";
import { insertLocation } from "./image-children.ts";

const cleanup = { leaseId: "cleaner", node: "n2", leaseSeconds: 60 };
const withCode = (code: Parameters<typeof isServiceError>[1]) => (error: unknown) =>
  isServiceError(error, ...(code ? [code] : []));

/** An active image with data under these URLs. */
async function stored(db: Database, urls: readonly string[]): Promise<string> {
  const { images, uploads } = nodeOf(db, newest);
  const { id } = await images.create(draft());
  const [first = "", ...more] = urls;
  const lease = { imageId: id, leaseId: randomUUID(), node: "n1", urls: [first] };
  assert(await uploads.begin(lease, 60));
  const data = { sizeBytes: 3, checksum: "0".repeat(32), hash: null, virtualSizeBytes: null };
  assert.equal(await uploads.finish(lease, { url: first, metadata: { store: "a" }, ...data }), "held");
  const now = db.dialect.encodeTime(new Date().toISOString());
  for (const url of more) await insertLocation(db, id, { url, metadata: {} }, now);
  return id;
}

testOnDatabases(
  "locations: one is taken away with a lease on its data, never the last one",
  "newest",
  async ({ db }) => {
    const { images, uploads } = nodeOf(db, newest);
    const id = await stored(db, ["memory://a/1", "memory://b/1"]);
    await assert.rejects(images.removeLocation(id, "memory://c/1", cleanup), withCode("images.not_found"));
    await assert.rejects(images.removeLocation(randomUUID(), "memory://a/1", cleanup), withCode("images.not_found"));
    const lease = await images.removeLocation(id, "memory://a/1", cleanup);
    assert.deepEqual(lease, { imageId: id, leaseId: "cleaner", node: "n2", urls: ["memory://a/1"] });
    assert.equal(await uploads.renew(lease, 60), "image_gone");
    const left = async () => (await images.find(id, admin))?.locations.map(({ url }) => url);
    assert.deepEqual(await left(), ["memory://b/1"]);
    await assert.rejects(images.removeLocation(id, "memory://b/1", cleanup), withCode("images.forbidden"));
    await uploads.abandon(lease);
    assert.deepEqual([(await images.find(id, admin))?.status, await left()], ["active", ["memory://b/1"]]);
  },
);

testOnDatabases(
  "locations: two that are taken away at once never leave an image without data",
  "newest",
  async ({ db }) => {
    const { images } = nodeOf(db, newest);
    const id = await stored(db, ["memory://a/1", "memory://b/1"]);
    const results = await Promise.allSettled(
      ["a", "b"].map((name) => images.removeLocation(id, `memory://${name}/1`, { ...cleanup, leaseId: name })),
    );
    assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    assert.equal((await images.find(id, admin))?.locations.length, 1);
  },
);

testOnDatabases(
  "locations: while data of the image is written or removed, and while it is not active, none is taken away",
  "newest",
  async ({ db }) => {
    const { images, uploads } = nodeOf(db, newest);
    const id = await stored(db, ["memory://a/1", "memory://b/1", "memory://c/1"]);
    const lease = await images.removeLocation(id, "memory://a/1", cleanup);
    await assert.rejects(images.removeLocation(id, "memory://b/1", cleanup), withCode("images.status_conflict"));
    assert.equal((await images.find(id, admin))?.locations.length, 2, "rolled back");
    await uploads.abandon(lease);
    assert(await images.changeStatus(id, ["active"], "deactivated"));
    await assert.rejects(images.removeLocation(id, "memory://b/1", cleanup), withCode("images.status_conflict"));
  },
);

testOnDatabases("locations: what is noted about them changes nothing else of the image", "newest", async ({ db }) => {
  const { images } = nodeOf(db, newest);
  const id = await stored(db, ["memory://a/1", "memory://b/1"]);
  const [before] = await db.query("select updated_at from images where id = ?", [id]);
  const metadata = { store: "b", note: "é" };
  await images.noteLocations(id, [
    { url: "memory://b/1", metadata, status: "active" },
    { url: "memory://gone/1", metadata, status: "active" },
  ]);
  const locations = (await images.find(id, admin))?.locations;
  assert.deepEqual(
    locations?.map((location) => location.metadata),
    [{ store: "a" }, metadata],
  );
  assert.deepEqual(await db.query("select updated_at from images where id = ?", [id]), [before]);
  await images.noteLocations(randomUUID(), [{ url: "memory://b/1", metadata, status: "active" }]);
});
