// A node is killed with -9 at step boundaries of the rollout. Its own requests in flight are lost; all others are served by the other
// nodes, its interrupted uploads are given up, and the rollout brings it back as what it has to be.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DatabaseKind } from "../../../demo/database.ts";
import type { FleetNode } from "../../../demo/fleet.ts";
import { databasesFor, isFull } from "../scope.ts";
import { type Hands, rollWithKills } from "./killed-rollout.ts";

/** Boundaries that stand this far apart are visited in one rollout, so that the fleet is whole again in between. */
const stride = 6;
/** Every boundary on one database; the servers stand behind the same nodes, whose death is the same there: some boundaries show it. */
const rolloutsOf: Record<DatabaseKind, number> = { sqlite: stride, mariadb: 2, postgresql: 1 };
const rolloutsOn = (database: DatabaseKind) => (isFull ? rolloutsOf[database] : 1);

for (const database of databasesFor("sqlite"))
  for (let offset = 0; offset < rolloutsOn(database); offset++) {
    const balancer = database === "sqlite" ? "builtin" : "haproxy";
    test(`a node is killed at boundaries ${offset}, ${offset + stride}, ...: ${database}, ${balancer}`, {
      timeout: 900_000,
    }, async (t) => {
      let seen = 0;
      const { kills } = await rollWithKills({
        database,
        balancer,
        seed: 7 + offset,
        killer: (_boundary, event, hands) => {
          if (seen++ % stride === offset) killOne(hands, event.node);
        },
      });
      t.diagnostic(`killed: ${kills.join(", ")}`);
      assert(kills.length > 0, "nothing was killed");
    });
  }

/** The node that the step is about, or the next one where that cannot be. */
function killOne(hands: Hands, name: string | undefined): void {
  const { nodes } = hands.fleet;
  const start = Math.max(
    0,
    nodes.findIndex((node) => node.name === name),
  );
  const order: readonly FleetNode[] = [...nodes.slice(start), ...nodes.slice(0, start)];
  order.find((node) => hands.killNode(node));
}
