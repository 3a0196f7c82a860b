// What a project has in all, counted in real databases.
import assert from "node:assert/strict";
import { newestRelease } from "../../releases/catalogue.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { draft, nodeOf } from "../testing/images.ts";

const { capabilities } = newestRelease;
const copying = "os_glance_importing_to_stores";

testOnDatabases(
  "usage: images, those that take data in, and the bytes that are staged, of one owner",
  "newest",
  async ({ db }) => {
    const { images } = nodeOf(db, capabilities);
    const add = async (owner: string | null, status: string, size: number | null, properties = {}) => {
      const made = await images.create(draft({ owner, properties }));
      await db.run("update images set status = ?, size = ? where id = ?", [status, size, made.id]);
      return made.id;
    };
    await add("alice", "queued", null);
    await add("alice", "saving", null);
    await add("alice", "uploading", 2 ** 41);
    await add("alice", "importing", 3, { [copying]: "fast" });
    await add("alice", "active", 5, { [copying]: "" });
    await add("alice", "active", 7, { [copying]: "fast,cheap" });
    await add("alice", "killed", 100);
    await add("alice", "pending_delete", 100);
    const gone = await add("alice", "active", 100, { [copying]: "fast" });
    await images.remove(gone, { leaseId: "lease-1", node: "n1", leaseSeconds: 60 });
    await add("bob", "importing", 11);
    await add(null, "active", 13);
    const found = await Promise.all(["alice", "bob", null, "carol"].map((owner) => images.projectUsage(owner)));
    assert.deepEqual(found, [
      { images: 6, uploading: 4, stagedBytes: 2 ** 41 + 3 + 7 },
      { images: 1, uploading: 1, stagedBytes: 11 },
      { images: 1, uploading: 0, stagedBytes: 0 },
      { images: 0, uploading: 0, stagedBytes: 0 },
    ]);
  },
);
