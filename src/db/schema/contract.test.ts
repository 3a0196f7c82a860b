// What speaks against a contract is found before anything is touched, and named.
import assert from "node:assert/strict";
import { test } from "node:test";
import { releaseOf } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { createNodeRepository } from "../repositories/node-repository.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { nodeRow } from "../testing/nodes.ts";
import { contract } from "./contract.ts";
import { type EngineEvent, withEngineLock } from "./engine-run.ts";
import { expand } from "./expand.ts";
import { DatabaseProgress } from "./progress-store.ts";
import { databaseReadiness } from "./readiness.ts";
import { contractAnnounced, contractProgressName } from "./standing-facts.ts";
import { sync } from "./sync.ts";
import { fillNewton, idOf } from "./testing/rows.ts";
import { shapeOf } from "./testing/shape.ts";

const newton = releaseOf("newton");
const ocata = releaseOf("ocata");

async function age(db: Database, name: string, seconds: number): Promise<void> {
  await db.run(`UPDATE perennial_nodes SET heartbeat_at = ${db.dialect.nowPlusSecondsSql} WHERE name = ?`, [
    -seconds,
    name,
  ]);
}

for (const dialect of testDialects) {
  test(`contract: refused while an older node is alive, whatever it does (${dialect})`, () =>
    withTestDatabase(dialect, "expanded", async ({ db }) => {
      const nodes = createNodeRepository(db);
      const before = await shapeOf(db);
      await nodes.claim(nodeRow("n1"), undefined);
      await nodes.claim(nodeRow("n2", { state: "draining" }), undefined);
      await nodes.claim(nodeRow("n3", { release: "ocata" }), undefined);
      const refused = { code: "schema.contract_refused", message: /n1 \(newton, serving.*n2 \(newton, draining/ };
      await assert.rejects(contract({ db, target: ocata }), refused);
      await assert.rejects(sync({ db, target: ocata }), { code: "schema.contract_refused", message: /n1.*n2.*n3/ });
      assert.deepEqual(await shapeOf(db), before);
      assert.deepEqual(await databaseReadiness(db, newton), { ready: true }, "old nodes may go on");
      await nodes.markStopped("n1");
      await age(db, "n2", 31);
      assert.equal((await contract({ db, target: ocata, nodeWatchMs: 100 })).outcome, "contracted");
    }));

  test(`contract: once announced no older node starts, and an announcement that came to nothing is forgotten (${dialect})`, () =>
    withTestDatabase(dialect, "expanded", async ({ db }) => {
      const progress = await DatabaseProgress.open(db);
      await progress.save(contractProgressName(ocata), { cursor: contractAnnounced, rowsDone: 0, finished: false });
      const readiness = await databaseReadiness(db, newton);
      assert(!readiness.ready && readiness.due === "newer_release");
      assert.deepEqual(await databaseReadiness(db, ocata), { ready: true });
      await db.run(`UPDATE perennial_progress SET updated_at = ${db.dialect.nowPlusSecondsSql}`, [-31]);
      assert.deepEqual(await databaseReadiness(db, newton), { ready: true });
    }));

  test(`contract: refused where a row would change its meaning, with its id (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      await fillNewton(db, 30);
      await expand({ db, target: ocata });
      const of = { mysql: "", sqlite: "", postgresql: " ON images" };
      await db.session((session) => session.run(`DROP TRIGGER update_visibility${of[dialect]}`));
      await db.run("UPDATE images SET visibility = 'community'");
      const events: EngineEvent[] = [];
      await assert.rejects(contract({ db, target: ocata, on: (event) => events.push(event) }), {
        code: "schema.contract_refused",
        message: new RegExp(`6 images that one release reads as public.*${idOf(0)}`),
      });
      assert(!events.some((event) => event.event === "step"), "no step was begun");
    }));

  test(`engine: one run at a time (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db, another }) => {
      const inside = Promise.withResolvers<void>();
      const go = Promise.withResolvers<void>();
      const other = await another();
      // The first run stands still inside its first step, by a listener that the test holds.
      const first = withHeldLock(other, inside.resolve, go.promise);
      await inside.promise;
      await assert.rejects(expand({ db, target: ocata }), { code: "schema.locked" });
      go.resolve();
      await first;
      assert.equal((await expand({ db, target: ocata, engineLockMs: 5_000 })).outcome, "expanded");
    }));
}

async function withHeldLock(db: Database, inside: () => void, go: Promise<void>): Promise<void> {
  await withEngineLock({ db, target: ocata }, async () => {
    inside();
    await go;
  });
}
