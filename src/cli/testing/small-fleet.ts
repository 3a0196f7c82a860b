// A fleet of one node that does not run, on a SQLite database at Newton with the rollout's own tables, for tests of what commands do to it.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDatabase } from "../../db/connect.ts";
import type { Database } from "../../db/database.ts";
import { ensureTables } from "../../db/schema/own-tables.ts";
import { rolloutTables } from "../../db/schema/rollout-tables.ts";
import { sync } from "../../db/schema/sync.ts";
import { releaseOf } from "../../releases/catalogue.ts";
import { type Fleet, loadFleet } from "../../rollout/fleet.ts";

/** In a folder of its own below `root`. Whoever asks closes `db`. */
export async function smallFleet(root: string): Promise<{ readonly fleet: Fleet; readonly db: Database }> {
  const folder = mkdtempSync(join(root, "fleet-"));
  const path = join(folder, "glance.sqlite");
  writeFileSync(path, "");
  mkdirSync(join(folder, "n1"));
  writeFileSync(join(folder, "n1", "glance-api.conf"), "[perennial]\nrelease = newton\n");
  const file = join(folder, "fleet.yaml");
  const node = { name: "n1", driver: "local", address: "127.0.0.1:9", directory: "n1", config: "n1/glance-api.conf" };
  const text = {
    name: "glance",
    target: "ocata",
    journal: "journal",
    database: { connection: `sqlite:///${path}` },
    backup: { directory: "backup" },
    nodes: [node],
    balancer: { driver: "builtin", listen: "127.0.0.1:9", admin: "admin.sock" },
    capacity: { serving_min: 0 },
  };
  // JSON is YAML too.
  writeFileSync(file, JSON.stringify(text));
  const db = await openDatabase(`sqlite:///${path}`);
  await sync({ db, target: releaseOf("newton") });
  await ensureTables(db, rolloutTables);
  return { fleet: loadFleet(file), db };
}
