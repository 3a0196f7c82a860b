// What a plan says of nodes that are to hand over, and of those that cannot.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { stringify } from "yaml";
import { withTestDatabase } from "../db/testing/databases.ts";
import { loadFleet } from "./fleet.ts";
import { planRollout } from "./plan-rollout.ts";
import { look, node } from "./testing/decision-scene.ts";

const folder = mkdtempSync(join(tmpdir(), "perennial-plan-"));
after(() => rmSync(folder, { recursive: true }));

const program = ["true"];
const byCommand = (name: string, more: object = {}) => ({
  name,
  driver: "command",
  address: "127.0.0.1:9301",
  status: program,
  start: program,
  stop: program,
  cut: program,
  install: program,
  ...more,
});

test("plan: a hand-over without its command is refused in one line; a node that cannot is named with what it lacks", async () => {
  const file = join(folder, "fleet.yaml");
  writeFileSync(
    file,
    stringify({
      name: "glance",
      target: "ocata",
      strategy: "handover",
      capacity: { serving_min: 0 },
      journal: folder,
      database: { connection: "sqlite:///none" },
      backup: { directory: folder },
      nodes: [
        byCommand("n1"),
        {
          name: "n2",
          driver: "ssh",
          address: "10.0.0.12:9292",
          host: "images-2",
          config: "/etc/glance/glance-api.conf",
        },
        byCommand("n3", { address: "127.0.0.1:9303", handover: program }),
      ],
      balancer: { driver: "builtin", listen: "127.0.0.1:9292", admin: "balancer.sock" },
    }),
  );
  const fleet = loadFleet(file);
  await withTestDatabase("sqlite", "newton", async ({ db }) => {
    const lack = "NotifyAccess=all in glance-api.service";
    const nodes = [node("n1"), node("n2", { handOverLacks: lack }), node("n3", { handsOver: true })];
    const { problems, notes, steps } = await planRollout(fleet, look(nodes, { due: "migrate" }), db);
    assert.deepEqual(problems, [
      "strategy handover needs a command `handover` for n1 (driver command); add it to the fleet file, or use strategy drain",
    ]);
    assert.deepEqual(notes, [`n2: drained instead of handed over; a hand-over lacks ${lack}`]);
    assert.deepEqual(
      steps.filter((step) => step.do === "hand-over").map((step) => step.node),
      ["n3"],
    );
  });
});
