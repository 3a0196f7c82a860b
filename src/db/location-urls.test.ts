// URLs that are encrypted in the database: by us and by the reference alike, and never lost to a wrong key.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { withCode } from "../images/testing/fixture.ts";
import { requireLocationKey } from "./location-key.ts";
import { encryptedLocations, isUnreadable, plainLocations } from "./location-urls.ts";
import { createImageRepository } from "./repositories/image-repository.ts";
import { createScrubRepository } from "./repositories/scrub-repository.ts";
import { createUploadRepository } from "./repositories/upload-repository.ts";
import { testOnDatabases } from "./testing/databases.ts";
import { admin, draft, newest } from "./testing/images.ts";

const keys = ["0123456789abcdef", "0123456789abcdef01234567", "0123456789abcdef0123456789abcdef", "schlüssel-äöü-"];
const urls = [
  "file:///var/lib/glance/images/1",
  "swift+https://user%3Aname:k%C3%A9y@keystone.example/v3/glance/00000000-0000-4000-8000-000000000000",
  "http://host/é",
  ...Array.from({ length: 33 }, (_, n) => `s3://${"b".repeat(n)}/k`),
];

test("location URLs: what was encrypted is read again, with every length of key and URL, and differs each time", () => {
  for (const key of keys.slice(0, 3)) {
    const locations = encryptedLocations(key);
    for (const url of urls) {
      const value = locations.encode(url);
      assert.match(value, /^[\w-]+={0,2}$/);
      assert.notEqual(value, locations.encode(url));
      assert.equal(locations.decode(value, 1), url);
    }
  }
  for (const key of ["short", "0123456789abcde", "é".repeat(12).slice(1)])
    assert.throws(() => encryptedLocations(key), withCode("config.invalid"), key);
});

test("location URLs: another key, or none, reads no URL and says so; what was never encrypted is read", () => {
  const [first = "", second = ""] = keys;
  const value = encryptedLocations(first).encode(urls[0] ?? "");
  for (const locations of [encryptedLocations(second), encryptedLocations(first.toUpperCase()), plainLocations]) {
    assert.equal(locations.decode(value, 7), "unreadable:7");
    for (const url of urls) assert.equal(locations.decode(url, 7), url);
  }
  assert.equal(encryptedLocations(first).decode("A".repeat(44), 1), "unreadable:1", "no whole block");
});

const program = `import json, sys
from glance.common import crypt
for key, theirs, ours in json.load(sys.stdin):
    print(json.dumps([crypt.urlsafe_encrypt(key, theirs), crypt.urlsafe_decrypt(key, ours)]))`;

const skip = existsSync("/usr/bin/glance-manage") ? false : "this machine has no Glance (Debian package glance-common)";

test("location URLs: the reference reads ours and we read its own", { skip }, () => {
  const cases = [...keys.slice(0, 3), "schlüssel-äöü"].flatMap((key) => urls.map((url) => [key, url] as const));
  const fit = cases.filter(([key]) => [16, 24, 32].includes(Buffer.byteLength(key)));
  const input = JSON.stringify(fit.map(([key, url]) => [key, url, encryptedLocations(key).encode(url)]));
  const { stdout, stderr, status } = spawnSync("/usr/bin/python3", ["-c", program], { input, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const answers = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as [string, string]);
  assert.equal(answers.length, fit.length);
  for (const [at, [key, url]] of fit.entries()) {
    const [theirs = "", read] = answers[at] ?? [];
    assert.equal(encryptedLocations(key).decode(theirs, 1), url);
    assert.equal(read, url);
  }
});

testOnDatabases(
  "location URLs: the database holds no URL, and every way of asking for one works",
  "newest",
  async (database) => {
    const [key = "", other = ""] = keys;
    const db = await database.another({ locationUrls: encryptedLocations(key) });
    const images = createImageRepository(db, newest);
    const uploads = createUploadRepository(db, newest);
    const stored = async (url: string) => {
      const { id } = await images.create(draft());
      const lease = { imageId: id, leaseId: "writer", node: "n1", urls: [url] };
      assert(await uploads.begin(lease, 60));
      const data = { sizeBytes: 3, checksum: "0".repeat(32), hash: null, virtualSizeBytes: null };
      assert.equal(await uploads.finish(lease, { url, metadata: {}, ...data }), "held");
      return id;
    };
    await requireLocationKey(db);
    const id = await stored("file:///a");
    const more = { add: [{ url: "file:///b", metadata: {}, status: "active" }], note: [], remove: [] };
    const cleanup = { leaseId: "cleaner", node: "n2", leaseSeconds: 60 };
    await images.update(id, { set: {}, locations: { ...more, locationsMax: 5, cleanup } });
    for (const row of await db.query("select value from image_locations")) assert.doesNotMatch(String(row.value), /:/);
    const urlsOf = async (from = images) => (await from.find(id, admin))?.locations.map(({ url }) => url);
    assert.deepEqual(await urlsOf(), ["file:///a", "file:///b"]);
    await images.noteLocations(id, [{ url: "file:///b", metadata: { store: "b" }, status: "active" }]);
    assert.deepEqual((await images.find(id, admin))?.locations[1]?.metadata, { store: "b" });

    for (const locationUrls of [encryptedLocations(other), plainLocations]) {
      const stranger = await database.another({ locationUrls });
      await assert.rejects(requireLocationKey(stranger), withCode("config.invalid"));
      const theirs = createImageRepository(stranger, newest);
      const seen = (await urlsOf(theirs)) ?? [];
      assert(seen.length === 2 && seen.every(isUnreadable), "an image is shown all the same");
      await assert.rejects(theirs.remove(id, cleanup), withCode("stores.unavailable"));
      await assert.rejects(theirs.removeLocation(id, seen[0] ?? "", cleanup), withCode("stores.unavailable"));
    }
    assert.deepEqual(await urlsOf(), ["file:///a", "file:///b"], "nothing of it was done");

    const removed = await images.removeLocation(id, "file:///a", cleanup);
    assert.deepEqual(removed.cleanup.urls, ["file:///a"]);
    await uploads.abandon(removed.cleanup);
    assert((await images.remove(id, cleanup, { delayed: true }))?.cleanup === null);
    const taken = await createScrubRepository(db).take(id, cleanup, ({ url }) => url === "file:///b");
    assert(typeof taken === "object");
    assert.deepEqual(taken.urls, ["file:///b"]);
    const last = await stored("file:///c");
    assert.deepEqual((await images.remove(last, { ...cleanup, leaseId: "more" }))?.cleanup?.urls, ["file:///c"]);
  },
);
