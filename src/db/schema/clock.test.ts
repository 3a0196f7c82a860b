// Clocks that are apart: the nodes' own do not matter, since heartbeats are written and read by the database's clock; and where that one is
// set, forwards or backwards by hours, contract neither goes under a living node nor waits for a dead one until the hours have passed.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { releaseOf } from "../../releases/catalogue.ts";
import type { Database } from "../database.ts";
import { createNodeRepository } from "../repositories/node-repository.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { nodeRow } from "../testing/nodes.ts";
import { contract } from "./contract.ts";
import { olderNodes } from "./contract-blockers.ts";
import type { EngineEvent } from "./engine-run.ts";

const ocata = releaseOf("ocata");
const hour = 3_600;

/** As if the database's clock were set by so much after the node's last heartbeat. */
async function setClock(db: Database, seconds: number): Promise<void> {
  await db.run(`UPDATE perennial_nodes SET heartbeat_at = ${db.dialect.nowPlusSecondsSql}`, [-seconds]);
}

for (const dialect of testDialects) {
  test(`clock: a node whose own clock is hours apart is seen as alive, and once it is silent as gone (${dialect})`, () =>
    withTestDatabase(dialect, "expanded", async ({ db }) => {
      const nodes = createNodeRepository(db);
      for (const hoursApart of [-26, 26]) {
        const name = `n${hoursApart}`;
        mock.timers.enable({ apis: ["Date"], now: Date.now() + hoursApart * hour * 1_000 });
        try {
          await nodes.claim(nodeRow(name), undefined);
          assert.equal(await nodes.beat(nodeRow(name)), true);
        } finally {
          mock.timers.reset();
        }
        const seen = (await olderNodes(db, ocata)).find((one) => one.name === name);
        assert(seen !== undefined && seen.secondsAgo < 30, `${name}: ${seen?.secondsAgo}`);
        const found = await nodes.find(name);
        assert(found !== undefined && found.silentSeconds < 30);
      }
    }));

  for (const seconds of [5 * hour, -5 * hour])
    test(`clock: the database's is set by ${seconds / hour} hours, and contract sees who lives by the next heartbeat (${dialect})`, () =>
      withTestDatabase(dialect, "expanded", async ({ db, another }) => {
        const nodes = createNodeRepository(await another());
        await nodes.claim(nodeRow("n1"), undefined);
        await setClock(db, seconds);
        // It lives, and beats while contract watches.
        const on = (event: EngineEvent) => {
          if (event.event === "warning" && /really gone: n1/.test(event.text)) void nodes.beat(nodeRow("n1"));
        };
        await assert.rejects(contract({ db, target: ocata, on, nodeWatchMs: 60_000 }), {
          code: "schema.contract_refused",
          message: /n1 \(newton, serving, seen \d+ s ago\)/,
        });
        // It has died; its last heartbeat is the same hours away.
        await setClock(db, seconds);
        const told: string[] = [];
        const result = await contract({
          db,
          target: ocata,
          nodeWatchMs: 600,
          on: (event) => event.event === "warning" && told.push(event.text),
        });
        assert.equal(result.outcome, "contracted");
        assert.equal(
          told.filter((text) => /really gone: n1 \(newton, last heartbeat \d+ s (ago|ahead of)/.test(text)).length,
          1,
        );
      }));
}
