// Nodes of two releases on one expanded and migrated database: Newton and Ocata by the table of database.md 6.3, line by line; then Queens
// and Rocky, where images become hidden and get a second hash; and the two ends of the catalogue.
import assert from "node:assert/strict";
import type { StoredData } from "../../images/ports.ts";
import type { Visibility } from "../../releases/capabilities.ts";
import type { Database } from "../database.ts";
import { type SchemaState, type TestDatabase, testOnDatabases } from "../testing/databases.ts";
import { admin, draft, newest, newton, nodeOf, ocata, project, queens, rocky } from "../testing/images.ts";

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

type Pair = { readonly state: Exclude<SchemaState, "empty">; readonly old: typeof queens; readonly new: typeof rocky };
const pairs: readonly Pair[] = [
  { state: "queens-to-rocky", old: queens, new: rocky },
  { state: "newton-to-newest", old: newton, new: newest },
];
const sha512 = "c".repeat(128);

/** The columns of Rocky, as they stand in the row. */
async function later(db: Database, id: string): Promise<unknown[]> {
  const [row] = await db.query("select os_hidden, os_hash_algo, os_hash_value from images where id = ?", [id]);
  return [Boolean(row?.os_hidden), row?.os_hash_algo, row?.os_hash_value];
}

async function uploadBy(node: Node, id: string, hash: StoredData["hash"]): Promise<void> {
  const lease = { imageId: id, leaseId: "l", node: "n", urls: [`file:///${id}`] };
  assert(await node.uploads.begin(lease, 60));
  const data = {
    url: `file:///${id}`,
    metadata: {},
    sizeBytes: 1,
    checksum: "0".repeat(32),
    hash,
    virtualSizeBytes: null,
  };
  assert.equal(await node.uploads.finish(lease, data), "held");
}

async function listed(node: Node, hidden?: boolean): Promise<string[]> {
  const asked = hidden === undefined ? {} : { hidden };
  const page = await node.images.list({
    viewer: project("alice"),
    filters: [],
    memberStatus: "accepted",
    sort,
    limit: 100,
    ...asked,
  });
  return page.map((image) => image.id).sort();
}

for (const pair of pairs) {
  const both = (title: string, run: (fleet: Fleet) => Promise<void>) =>
    testOnDatabases(`mixed fleet: ${title}`, pair.state, async ({ db }) => {
      await run({ db, old: nodeOf(db, pair.old), new: nodeOf(db, pair.new) });
    });

  both("old nodes list hidden images, new ones where asked to; both show them by id", async (fleet) => {
    const { id: hidden } = await fleet.new.images.create(draft({ hidden: true }));
    const { id: shown } = await fleet.old.images.create(draft({}));
    assert.deepEqual(await listed(fleet.old), [hidden, shown].sort());
    assert.deepEqual(await listed(fleet.new, false), [shown]);
    assert.deepEqual(await listed(fleet.new, true), [hidden]);
    assert.deepEqual(await later(fleet.db, shown), [false, null, null]);
    assert.equal((await fleet.old.images.find(hidden, project("alice")))?.hidden, false, "it knows nothing of hiding");
    assert.equal((await fleet.new.images.find(hidden, project("alice")))?.hidden, true);
  });

  both("an old node's changes leave a hidden image hidden, and its hash alone", async (fleet) => {
    const { id } = await fleet.new.images.create(draft({ hidden: true }));
    await uploadBy(fleet.new, id, { algorithm: "sha512", value: sha512 });
    assert.deepEqual(await later(fleet.db, id), [true, "sha512", sha512]);
    await fleet.old.images.update(id, {
      set: { name: "renamed", visibility: "private", protected: false, hidden: false },
      tags: ["t"],
      properties: { set: { a: "1" }, remove: [] },
    });
    await fleet.old.images.addTag(id, "u", -1);
    assert(await fleet.old.images.changeStatus(id, ["active"], "deactivated"));
    assert.deepEqual(await later(fleet.db, id), [true, "sha512", sha512]);
    const image = await fleet.new.images.find(id, admin);
    assert.deepEqual(
      [image?.name, image?.hidden, image?.hashAlgorithm, image?.hashValue],
      ["renamed", true, "sha512", sha512],
    );
  });

  both(
    "what an old node uploads has a checksum and no second hash, also where it was created by a new one",
    async (fleet) => {
      for (const creator of [fleet.old, fleet.new]) {
        const { id } = await creator.images.create(draft({ visibility: "public" }));
        await uploadBy(fleet.old, id, null);
        assert.deepEqual(await later(fleet.db, id), [false, null, null]);
        const image = await fleet.new.images.find(id, project("bob"));
        assert.deepEqual(
          [image?.status, image?.checksum, image?.hashAlgorithm, image?.hashValue],
          ["active", "0".repeat(32), null, null],
        );
      }
    },
  );

  both("an upload given up leaves no hash, whichever node gives it up", async (fleet) => {
    for (const cleaner of [fleet.old, fleet.new]) {
      const { id } = await fleet.new.images.create(draft());
      const lease = { imageId: id, leaseId: "l", node: "n", urls: ["file:///x"] };
      assert(await fleet.new.uploads.begin(lease, 60));
      await cleaner.uploads.abandon(lease);
      assert.equal((await fleet.new.images.find(id, admin))?.status, "queued");
      assert.deepEqual(await later(fleet.db, id), [false, null, null]);
    }
  });

  both(
    "a property that an old node calls os_hidden hides nothing, and is no longer seen at a new one",
    async (fleet) => {
      const { id } = await fleet.old.images.create(draft({ properties: { os_hidden: "true" } }));
      assert.deepEqual(await later(fleet.db, id), [false, null, null]);
      assert.deepEqual(await listed(fleet.new, false), [id]);
      assert.equal((await fleet.new.images.find(id, admin))?.hidden, false);
    },
  );
}

testOnDatabases(
  "mixed fleet: a new node that gives up an upload clears a hash that another left",
  "queens-to-rocky",
  async ({ db }) => {
    const node = nodeOf(db, rocky);
    const { id } = await node.images.create(draft());
    const lease = { imageId: id, leaseId: "l", node: "n", urls: ["file:///x"] };
    assert(await node.uploads.begin(lease, 60));
    await db.run("update images set os_hash_algo = 'sha512', os_hash_value = ? where id = ?", [sha512, id]);
    await node.uploads.abandon(lease);
    assert.deepEqual(await later(db, id), [false, null, null]);
  },
);
