// Delayed deletion in each database: what rows say in between, that each image is taken once, and what comes back with a restored one.
import assert from "node:assert/strict";
import { isServiceError } from "../../core/errors.ts";
import type { Database } from "../database.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { admin, draft, newest, nodeOf } from "../testing/images.ts";
import { createScrubRepository } from "./scrub-repository.ts";

const cleanup = { leaseId: "cleaner", node: "n2", leaseSeconds: 60 };
const url = "file:///data/1";
const conflict = (error: unknown) => isServiceError(error, "images.status_conflict");

/** An active image with a property, a tag and a member, whose deletion was delayed. */
async function pendingImage(db: Database): Promise<string> {
  const { images, uploads, members } = nodeOf(db, newest);
  const { id } = await images.create(
    draft({ properties: { kept: "1", dropped: "2" }, tags: ["t"], visibility: "shared" }),
  );
  const lease = { imageId: id, leaseId: "writer", node: "n1", urls: [url] };
  assert(await uploads.begin(lease, 60));
  const data = { sizeBytes: 3, checksum: "0".repeat(32), hash: null, virtualSizeBytes: null };
  assert.equal(await uploads.finish(lease, { url, metadata: {}, ...data }), "held");
  await members.add(id, "guest", -1);
  assert.deepEqual(await images.remove(id, cleanup, { delayed: true }), { cleanup: null });
  return id;
}

const statusOf = async (db: Database, id: string) => {
  const [image] = await db.query("select status, deleted from images where id = ?", [id]);
  const [location] = await db.query("select status, deleted from image_locations where image_id = ?", [id]);
  return [image?.status, Boolean(image?.deleted), location?.status, Boolean(location?.deleted)];
};

testOnDatabases(
  "scrubbing: a delayed deletion hides the image, and one of many makes it final",
  "newest",
  async ({ db, another }) => {
    const { images, uploads } = nodeOf(db, newest);
    const id = await pendingImage(db);
    assert.deepEqual(await statusOf(db, id), ["pending_delete", true, "pending_delete", true]);
    assert.equal(await images.find(id, admin), undefined);
    const empty = await images.create(draft());
    await images.remove(empty.id, cleanup, { delayed: true });
    assert.equal((await statusOf(db, empty.id))[0], "deleted", "there is no data to be kept");
    const scrubbers = [createScrubRepository(db), createScrubRepository(await another())];
    const [first] = scrubbers;
    if (!first) assert.fail("there are two");
    assert.deepEqual(await first.due({ ageSeconds: 1_000, after: "", rowsMax: 10 }), []);
    assert.deepEqual(await first.due({ ageSeconds: 0, after: "", rowsMax: 10 }), [id]);
    assert.deepEqual(await first.due({ ageSeconds: 0, after: id, rowsMax: 10 }), []);
    const elsewhere = { url: "rbd://fsid/images/one/snap", metadata: { store: "ceph" } };
    await db.run("update image_locations set value = ?, meta_data = ? where image_id = ?", [
      elsewhere.url,
      JSON.stringify(elsewhere.metadata),
      id,
    ]);
    const asked: object[] = [];
    const isOurs = (location: object) => asked.push(location) < 1;
    assert.equal(await first.take(id, cleanup, isOurs), "left");
    assert.deepEqual(asked, [elsewhere]);
    assert.deepEqual(await statusOf(db, id), ["pending_delete", true, "pending_delete", true], "another's to remove");
    await db.run("update image_locations set value = ?, meta_data = '{}' where image_id = ?", [url, id]);
    const taken = await Promise.all(
      scrubbers.map((one, at) => one.take(id, { ...cleanup, leaseId: `s${at}` }, () => true)),
    );
    const [lease, ...more] = taken.filter((one) => one !== undefined && one !== "left");
    assert.equal(more.length, 0);
    assert.deepEqual(lease?.urls, [url]);
    assert.deepEqual(await statusOf(db, id), ["deleted", true, "deleted", true]);
    await assert.rejects(first.restore(id), conflict);
    if (lease) await uploads.abandon(lease);
    assert.deepEqual(await statusOf(db, id), ["deleted", true, "deleted", true]);
  },
);

testOnDatabases(
  "scrubbing: a restored image has its data, properties, tags and members, but not what went before",
  "newest",
  async ({ db }) => {
    const { images, members } = nodeOf(db, newest);
    const scrubber = createScrubRepository(db);
    const id = await pendingImage(db);
    // As if it had been removed long ago.
    const before = db.dialect.encodeTime("2020-01-01T00:00:00Z");
    await db.run("update image_properties set deleted_at = ? where image_id = ? and name = 'dropped'", [before, id]);
    await scrubber.restore(id);
    const image = await images.find(id, admin);
    assert.deepEqual(
      [image?.status, image?.properties, image?.tags, image?.locations.map((one) => one.url)],
      ["active", { kept: "1" }, ["t"], [url]],
    );
    assert.equal((await members.list(id)).length, 1);
    await assert.rejects(scrubber.restore(id), conflict);
    await assert.rejects(scrubber.restore("none"), (error) => isServiceError(error, "images.not_found"));
    assert.equal(await scrubber.take(id, cleanup, () => true), undefined);
    await images.remove(id, cleanup, { delayed: true });
    await db.run("update image_locations set status = 'deleted' where image_id = ?", [id]);
    await assert.rejects(scrubber.restore(id), conflict, "its data went another way");
  },
);
