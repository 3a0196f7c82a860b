// Repositories at work while the schema changes under them: Newton's from before expand until contract, Ocata's from after migrate on.
// No call may fail, and what was written is read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { releaseOf } from "../../releases/catalogue.ts";
import { contract } from "../schema/contract.ts";
import { expand } from "../schema/expand.ts";
import { migrate } from "../schema/migrate.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { admin, draft, newton, nodeOf, ocata, project } from "../testing/images.ts";

type Node = ReturnType<typeof nodeOf>;

const sort = [
  { key: "created_at", direction: "desc" },
  { key: "id", direction: "desc" },
] as const;

/** Every kind of work a node does, again and again until told to stop. Returns how often. */
function keepBusy(node: Node, visibilities: readonly ("public" | "private" | "shared" | "community")[], owner: string) {
  let stopped = false;
  let rounds = 0;
  const running = (async () => {
    while (!stopped) {
      const visibility = visibilities[rounds % visibilities.length] ?? "public";
      const { id } = await node.images.create(
        draft({ owner, visibility, tags: ["a"], properties: { round: String(rounds) } }),
      );
      const lease = { imageId: id, leaseId: "l", node: "n", urls: [`file:///${id}`] };
      assert.equal(await node.uploads.begin(lease, 60), true);
      const data = {
        url: `file:///${id}`,
        metadata: {},
        sizeBytes: 3,
        checksum: "0".repeat(32),
        hash: null,
        virtualSizeBytes: null,
      };
      assert.equal(await node.uploads.finish(lease, data), "held");
      const image = await node.images.update(id, {
        set: { name: `n${rounds}` },
        properties: { set: { more: "1" }, remove: ["round"] },
      });
      assert.deepEqual(
        [image.status, image.name, image.visibility, image.properties],
        ["active", `n${rounds}`, visibility, { more: "1" }],
      );
      const seen = { viewer: project(owner), memberStatus: "accepted", sort, limit: 25 } as const;
      // It need not be on the newest page: others create dozens in the same second, which are listed by ids, which are random.
      assert((await node.images.list({ ...seen, filters: [] })).length > 0);
      const named = [{ kind: "column", column: "name", values: [`n${rounds}`] }] as const;
      assert((await node.images.list({ ...seen, filters: named })).some((listed) => listed.id === id));
      assert.deepEqual(await node.images.find(id, project(owner)), image);
      if (rounds % 3 === 0) assert(await node.images.remove(id, { leaseId: "c", node: "n", leaseSeconds: 60 }));
      rounds++;
    }
    return rounds;
  })();
  // Looked at in stop(); until then a failure must not end the process.
  running.catch(() => undefined);
  return {
    async stop() {
      stopped = true;
      return await running;
    },
  };
}

for (const dialect of testDialects)
  test(`live upgrade: no call fails from before expand to after contract (${dialect})`, async () => {
    await withTestDatabase(dialect, "newton", async ({ db, another }) => {
      const target = releaseOf("ocata");
      const quick = { poolSizeMax: 8 };
      const old = nodeOf(await another(quick), newton);
      const fresh = nodeOf(await another(quick), ocata);
      const { id: first } = await old.images.create(draft({ visibility: "private", owner: "carol" }));
      const oldWork = [keepBusy(old, ["public", "private"], "alice"), keepBusy(old, ["private"], "bob")];
      await expand({ db, target });
      await migrate({ db, target });
      const freshWork = [
        keepBusy(fresh, ["public", "private", "shared", "community"], "alice"),
        keepBusy(fresh, ["shared"], "dora"),
      ];
      assert.equal((await fresh.images.find(first, admin))?.visibility, "private");
      const oldRounds = await Promise.all(oldWork.map((work) => work.stop()));
      await contract({ db, target });
      const rounds = await Promise.all(freshWork.map((work) => work.stop()));
      assert(
        [...oldRounds, ...rounds].every((count) => count > 0),
        `${oldRounds} and ${rounds} rounds`,
      );
      const filters = [{ kind: "column", column: "id", values: [first] }] as const;
      const [listed] = await fresh.images.list({ viewer: admin, filters, memberStatus: "all", sort, limit: 25 });
      assert.equal(listed?.visibility, "private");
    });
  });
