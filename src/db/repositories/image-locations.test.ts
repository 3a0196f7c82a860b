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
    const { cleanup: lease } = await images.removeLocation(id, "memory://a/1", cleanup);
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
    const { cleanup: lease } = await images.removeLocation(id, "memory://a/1", cleanup);
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

const more = { locationsMax: 3, cleanup } as const;

testOnDatabases(
  "locations: added ones and the status come together, for a queued image alone",
  "newest",
  async ({ db }) => {
    const { images } = nodeOf(db, newest);
    const { id } = await images.create(draft());
    const location = { url: "memory://a/1", metadata: { store: "a" }, status: "active" };
    const activation = { sizeBytes: 3, checksum: null, hash: { algorithm: "sha256", value: "f".repeat(64) } };
    const changes = {
      set: {},
      locations: { add: [location], note: [], remove: [], ...more },
      activation,
      whileStatus: ["queued"],
    } as const;
    const image = await images.update(id, changes);
    assert.deepEqual(
      [image.status, image.sizeBytes, image.hashAlgorithm, image.locations],
      ["active", 3, "sha256", [location]],
    );
    await assert.rejects(images.update(id, changes), withCode("images.status_conflict"));
  },
);

testOnDatabases(
  "locations: changes of two nodes both stand, within the quota, and never leave none",
  "newest",
  async ({ db, another }) => {
    const nodes = [nodeOf(db, newest), nodeOf(await another(), newest)] as const;
    const [{ images, uploads }] = nodes;
    const id = await stored(db, ["memory://a/1"]);
    const at = (url: string) => ({ url, metadata: {}, status: "active" });
    const change = (node: 0 | 1, changes: { add?: string[]; remove?: string[] }) =>
      nodes[node].images.update(id, {
        set: {},
        locations: { add: (changes.add ?? []).map(at), note: [], remove: changes.remove ?? [], ...more },
        whileStatus: ["active"],
      });
    const added = await Promise.allSettled(
      [0, 1, 2, 3].map((n) => change(n % 2 === 0 ? 0 : 1, { add: [`memory://b/${n}`] })),
    );
    assert.equal(added.filter(({ status }) => status === "fulfilled").length, 2);
    for (const one of added) if (one.status === "rejected") assert(withCode("images.over_limit")(one.reason));
    await assert.rejects(change(0, { add: ["memory://a/1"] }), withCode("images.invalid"));
    const urls = (await images.find(id, admin))?.locations.map(({ url }) => url) ?? [];
    await assert.rejects(change(0, { remove: urls }), withCode("images.forbidden"));
    await change(0, { remove: urls.slice(1) });
    const lease = { imageId: id, leaseId: "cleaner", node: "n2", urls: urls.slice(1) };
    assert.equal(await uploads.renew(lease, 60), "image_gone");
    // The lease on what is still to be removed stands in the way of a second one.
    await change(1, { add: ["memory://c/1"] });
    await assert.rejects(change(1, { remove: ["memory://c/1"] }), withCode("images.status_conflict"));
    await uploads.abandon(lease);
    await change(1, { remove: ["memory://c/1"] });
    assert.equal((await images.find(id, admin))?.status, "active");
  },
);
