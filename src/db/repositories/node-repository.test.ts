import assert from "node:assert/strict";
import { testOnDatabases } from "../testing/databases.ts";
import { createNodeRepository, type NodeRow } from "./node-repository.ts";

const row = (changes: Partial<NodeRow> = {}): NodeRow => ({
  name: "n1",
  address: "127.0.0.1:9292",
  release: "newton",
  packageVersion: "0.1.0",
  pid: 100,
  state: "starting",
  transfers: { uploads: 0, downloads: 0, bytesLeft: 0, etaSeconds: null },
  p99Ms: null,
  ...changes,
});

testOnDatabases(
  "nodes: a name is claimed by one, beats, and is seen with its age",
  "newton",
  async ({ db, another }) => {
    const nodes = createNodeRepository(db);
    const other = createNodeRepository(await another());
    const claims = await Promise.all([nodes.claim(row(), undefined), other.claim(row({ pid: 200 }), undefined)]);
    assert.deepEqual(claims.toSorted(), [false, true]);
    const seen = await nodes.find("n1");
    assert(seen && seen.silentSeconds < 5);
    const ours = seen.record;
    const busy = {
      ...ours,
      state: "serving",
      transfers: { uploads: 1, downloads: 2, bytesLeft: 2 ** 45, etaSeconds: 9 },
      p99Ms: 1.25,
    } as const;
    assert.equal(await nodes.beat(busy), true);
    assert.deepEqual((await other.find("n1"))?.record, busy);
    assert.equal(await nodes.beat({ ...ours, pid: 300 }), false, "a stranger's beat does not count");
    assert.equal(await nodes.claim(row({ pid: 300 }), { ...ours, pid: 1 }), false);
    assert.equal(await nodes.claim(row({ pid: 300, release: "ocata" }), ours), true);
    assert.deepEqual((await nodes.find("n1"))?.record, row({ pid: 300, release: "ocata" }));
  },
);

testOnDatabases("nodes: ages are told by the database's clock, and rows go", "newton", async ({ db }) => {
  const nodes = createNodeRepository(db);
  await nodes.claim(row({ name: "b" }), undefined);
  await nodes.claim(row({ name: "a" }), undefined);
  await db.run(`update perennial_nodes set heartbeat_at = ${db.dialect.nowPlusSecondsSql} where name = 'b'`, [-90]);
  const ages = (await nodes.list()).map(({ record, silentSeconds }) => [record.name, Math.round(silentSeconds / 10)]);
  assert.deepEqual(ages, [
    ["a", 0],
    ["b", 9],
  ]);
  assert.equal(await nodes.markStopped("b"), true);
  assert.equal((await nodes.find("b"))?.record.state, "stopped");
  assert.equal(await nodes.remove("b"), true);
  assert.equal(await nodes.remove("b"), false);
  assert.equal(await nodes.find("b"), undefined);
});
