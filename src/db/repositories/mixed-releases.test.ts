// Newton and Ocata nodes on one expanded and migrated database: the table of database.md 6.3, line by line.
import assert from "node:assert/strict";
import type { Visibility } from "../../releases/capabilities.ts";
import type { Database } from "../database.ts";
import { type TestDatabase, testOnDatabases } from "../testing/databases.ts";
import { admin, draft, newton, nodeOf, ocata, project } from "../testing/images.ts";

type Node = ReturnType<typeof nodeOf>;
type Fleet = { readonly old: Node; readonly new: Node; readonly db: Database };

const sort = [
  { key: "created_at", direction: "desc" },
  { key: "id", direction: "desc" },
] as const;

function line(title: string, run: (fleet: Fleet) => Promise<void>): void {
  testOnDatabases(`mixed fleet: ${title}`, "expanded", async ({ db }: TestDatabase) => {
    await run({ db, old: nodeOf(db, newton), new: nodeOf(db, ocata) });
  });
}

/** Both columns of the row, and what either kind of node says to an admin. */
async function assertSeen(fleet: Fleet, id: string, row: [number, Visibility], shown: [Visibility, Visibility]) {
  const [stored] = await fleet.db.query("select is_public, visibility from images where id = ?", [id]);
  assert.deepEqual([Number(stored?.is_public), stored?.visibility], row);
  const views = [await fleet.old.images.find(id, admin), await fleet.new.images.find(id, admin)];
  assert.deepEqual(
    views.map((image) => image?.visibility),
    shown,
  );
}

async function lists(node: Node, viewer: ReturnType<typeof project>): Promise<string[]> {
  const page = await node.images.list({ viewer, filters: [], memberStatus: "accepted", sort, limit: 100 });
  return page.map((image) => image.id);
}

line("what Newton creates private is shared for Ocata", async (fleet) => {
  const { id } = await fleet.old.images.create(draft({ visibility: "private" }));
  await assertSeen(fleet, id, [0, "shared"], ["private", "shared"]);
});

line("what Newton creates public is public for both", async (fleet) => {
  const { id } = await fleet.old.images.create(draft({ visibility: "public" }));
  await assertSeen(fleet, id, [1, "public"], ["public", "public"]);
});

for (const visibility of ["shared", "private", "community"] as const)
  line(`what Ocata creates ${visibility} is private for Newton`, async (fleet) => {
    const { id } = await fleet.new.images.create(draft({ visibility }));
    await assertSeen(fleet, id, [0, visibility], ["private", visibility]);
    assert.deepEqual(await lists(fleet.old, project("bob")), [], "only its owner sees it there");
    assert.deepEqual(await lists(fleet.old, project("alice")), [id]);
    const known = await fleet.new.images.find(id, project("bob"));
    assert.equal(known !== undefined, visibility === "community");
  });

line("Newton's other changes leave a community image one", async (fleet) => {
  const { id } = await fleet.new.images.create(draft({ visibility: "community" }));
  const changed = await fleet.old.images.update(id, {
    set: { name: "renamed" },
    tags: ["t"],
    properties: { set: { a: "1" }, remove: [] },
  });
  assert.deepEqual([changed.visibility, changed.name], ["private", "renamed"]);
  await assertSeen(fleet, id, [0, "community"], ["private", "community"]);
  // What a release before Ocata knows of the image, said again, is no change either.
  await fleet.old.images.update(id, { set: { visibility: "private" } });
  await assertSeen(fleet, id, [0, "community"], ["private", "community"]);
});

line("Newton turns public into private: shared for Ocata", async (fleet) => {
  const { id } = await fleet.new.images.create(draft({ visibility: "public" }));
  await fleet.old.images.update(id, { set: { visibility: "private" } });
  await assertSeen(fleet, id, [0, "shared"], ["private", "shared"]);
  await fleet.old.images.update(id, { set: { visibility: "public" } });
  await assertSeen(fleet, id, [1, "public"], ["public", "public"]);
});

line("Ocata's changes to and from public are Newton's too", async (fleet) => {
  const { id } = await fleet.old.images.create(draft({ visibility: "private" }));
  for (const visibility of ["public", "community", "public", "private", "shared"] as const) {
    const image = await fleet.new.images.update(id, { set: { visibility } });
    assert.equal(image.visibility, visibility);
    const seen = visibility === "public" ? "public" : "private";
    await assertSeen(fleet, id, [visibility === "public" ? 1 : 0, visibility], [seen, visibility]);
  }
});

line("a member that Newton adds to a private image sees it at Ocata, too", async (fleet) => {
  const { id } = await fleet.new.images.create(draft({ visibility: "private" }));
  await fleet.old.members.add(id, "bob", -1);
  await fleet.old.members.setStatus(id, "bob", "accepted");
  await assertSeen(fleet, id, [0, "shared"], ["private", "shared"]);
  assert.deepEqual([await lists(fleet.old, project("bob")), await lists(fleet.new, project("bob"))], [[id], [id]]);
  assert.equal((await fleet.new.images.find(id, project("bob")))?.id, id);
  assert.deepEqual(await fleet.new.members.list(id), await fleet.old.members.list(id));
});

line("uploads and deletions of one release are the other's", async (fleet) => {
  for (const [writer, reader] of [
    [fleet.old, fleet.new],
    [fleet.new, fleet.old],
  ] as const) {
    const { id } = await writer.images.create(draft({ visibility: "public" }));
    const lease = { imageId: id, leaseId: "l", node: "n", urls: ["file:///x"] };
    assert(await reader.uploads.begin(lease, 60));
    const data = {
      url: "file:///x",
      metadata: {},
      sizeBytes: 1,
      checksum: "0".repeat(32),
      hash: null,
      virtualSizeBytes: null,
    };
    assert.equal(await writer.uploads.finish(lease, data), "held");
    assert.equal((await reader.images.find(id, project("bob")))?.status, "active");
    const removed = await reader.images.remove(id, { leaseId: "c", node: "n", leaseSeconds: 60 });
    assert(removed?.cleanup);
    assert.equal(await writer.images.find(id, admin), undefined);
    await writer.uploads.abandon(removed.cleanup);
  }
});
