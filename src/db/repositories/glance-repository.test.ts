// Nodes of Glance that a rollout saw: kept until they are seen gone, and in the way of a contract; and what else the database knows of them.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { releaseOf } from "../../releases/catalogue.ts";
import { contract } from "../schema/contract.ts";
import { ensureTables } from "../schema/own-tables.ts";
import { rolloutTables } from "../schema/rollout-tables.ts";
import { planUpgrade } from "../schema/upgrade-plan.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { draft, newest, nodeOf } from "../testing/images.ts";
import { createGlanceRepository } from "./glance-repository.ts";

const glance = { name: "n1", address: "10.0.0.1:9292", release: "newton", told: "process 7: glance-api" };

testOnDatabases(
  "glance: contract is refused while one may live, naming it, and done when it was seen gone",
  "expanded",
  async ({ db }) => {
    await ensureTables(db, rolloutTables);
    const glances = createGlanceRepository(db);
    await glances.saw(glance);
    await glances.saw({ ...glance, told: "process 8: glance-api" });
    const target = releaseOf("ocata");
    await assert.rejects(contract({ db, target }), {
      code: "schema.contract_refused",
      message: /Nodes of Glance may be alive: n1 at 10\.0\.0\.1:9292 \(newton, process 8: glance-api, seen \d+ s ago\)/,
    });
    const plan = await planUpgrade(db, target);
    assert(plan.contractBlockers.some((line) => line.startsWith("a Glance may be alive: n1 at")));
    await glances.gone("n1");
    await glances.gone("n1");
    // One of the target's own release is in nobody's way.
    await glances.saw({ ...glance, name: "n2", release: "ocata" });
    assert.equal((await contract({ db, target })).outcome, "contracted");
  },
);

testOnDatabases(
  "glance: tasks under way that no lease of ours explains are its own; finished, silent and leased ones are not",
  "newest",
  async ({ db }) => {
    const { nowSql, nowPlusSecondsSql } = db.dialect;
    const add = async (status: string, secondsAgo = 0) => {
      const id = randomUUID();
      await db.run(
        `INSERT INTO tasks (id, type, status, owner, created_at, updated_at, deleted)
       VALUES (?, 'api_image_import', ?, 'red', ${nowSql}, ${nowPlusSecondsSql}, false)`,
        [id, status, -secondsAgo],
      );
      return id;
    };
    const [own, waiting] = [await add("processing"), await add("pending", 60)];
    await add("success");
    await add("processing", 7_200);
    const leased = await add("processing");
    await db.run(
      `INSERT INTO perennial_imports (image_id, lease_id, node, task_id, gives_back, urls, started_at, expires_at)
     VALUES (?, ?, 'n1', ?, 'queued', '[]', ${nowSql}, ${nowSql})`,
      [randomUUID(), randomUUID(), leased],
    );
    assert.deepEqual(await createGlanceRepository(db).tasks(), [own, waiting].sort());
  },
);

testOnDatabases(
  "glance: locations in kinds of stores that we do not have are counted, of images that are there",
  "newest",
  async ({ db }) => {
    const glances = createGlanceRepository(db);
    assert.deepEqual([...(await glances.foreignLocations())], []);
    const { images } = nodeOf(db, newest);
    const { id } = await images.create(draft());
    const urls = ["cinder://a", "file:///cinder://x", "cinder://b", "vsphere://volume"];
    for (const [index, url] of [...urls, "cinder://gone"].entries())
      await db.run(
        `INSERT INTO image_locations (image_id, value, created_at, deleted, meta_data, status)
         VALUES (?, ?, ${db.dialect.nowSql}, ?, '{}', 'active')`,
        [id, url, index === urls.length],
      );
    assert.deepEqual(
      [...(await glances.foreignLocations())],
      [
        ["cinder", 2],
        ["vsphere", 1],
      ],
    );
  },
);
