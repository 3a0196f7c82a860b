// A data migration on a MariaDB that has a replica: it is held back while the replica does not keep up, and the replica ends with the same
// rows, also where the binary log carries statements and the replica's own triggers run.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../../test/servers/eventually.ts";
import { startMariadb } from "../../../../test/servers/mariadb.ts";
import { releaseOf } from "../../../releases/catalogue.ts";
import { openDatabase } from "../../connect.ts";
import type { Database } from "../../database.ts";
import { testDialects } from "../../testing/databases.ts";
import { expand } from "../expand.ts";
import { migrate } from "../migrate.ts";
import { sync } from "../sync.ts";
import { fillNewton, migratedRows, visibilityById } from "../testing/rows.ts";
import { readReplicaLag } from "./pressure.ts";

const rows = 60;
const binlog = ["--log-bin=binlog", "--log-bin-trust-function-creators=1", "--binlog-format=STATEMENT"];

async function pendingOn(db: Database): Promise<number> {
  const [row] = await db.query<{ n: unknown }>("SELECT COUNT(*) AS n FROM glance.images WHERE visibility IS NULL");
  return Number(row?.n);
}

async function isCurrent(primary: Database, replica: Database): Promise<boolean> {
  return (await pendingOn(primary)) === (await pendingOn(replica)) && (await readReplicaLag(replica)) === 0;
}

if (testDialects.includes("mysql"))
  test("replica: a migration waits for one that stands still, goes on all the same, and leaves both with the same rows", async (t) => {
    const primary = await startMariadb({ args: [...binlog, "--server-id=1"] });
    t.after(() => primary.stop());
    const copy = await startMariadb({ args: ["--server-id=2"] });
    t.after(() => copy.stop());
    const replica = await openDatabase(copy.url("mysql"));
    t.after(() => replica.close());
    await replica.run(
      `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = ${primary.port}, MASTER_USER = 'root', MASTER_USE_GTID = slave_pos`,
    );
    await replica.run("START SLAVE");
    const db = await openDatabase(await primary.createDatabase("glance"));
    t.after(() => db.close());
    const ocata = releaseOf("ocata");
    await sync({ db, target: releaseOf("newton") });
    await fillNewton(db, rows);
    await expand({ db, target: ocata });
    await eventually("the replica has caught up", () => isCurrent(db, replica), { msMax: 60_000 });

    await replica.run("STOP SLAVE");
    const details: string[] = [];
    const result = await migrate({
      db,
      target: ocata,
      replicas: [{ name: "copy", db: replica }],
      backfill: { batchRows: 30, batchRowsMax: 30 },
      on: (event) => {
        if (event.event === "progress" && event.detail !== undefined) details.push(event.detail);
      },
    });
    assert.equal(result.complete, true);
    assert(details.includes("held back: replica copy does not replicate"), details.join("; "));

    await replica.run("START SLAVE");
    await eventually("the replica has caught up", () => isCurrent(db, replica), { msMax: 60_000 });
    const there = await openDatabase(copy.url("glance"));
    t.after(() => there.close());
    assert.deepEqual(await visibilityById(there), migratedRows(rows));
  });
