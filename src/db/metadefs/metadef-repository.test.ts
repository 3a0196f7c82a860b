// Metadata definitions in each database: the promises of all repositories, and what only concurrent writers and neighbours of the reference
// can show.
import assert from "node:assert/strict";
import { isServiceError } from "../../core/errors.ts";
import type { MetadefNamespace } from "../../metadefs/metadef.ts";
import { metadefPromises } from "../../metadefs/testing/metadef-conformance.ts";
import type { Database } from "../database.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { createMetadefRepository } from "./metadef-repository.ts";
import { metadefTables } from "./metadef-rows.ts";

const empty: MetadefNamespace = {
  namespace: "N",
  displayName: null,
  description: null,
  visibility: "private",
  protected: false,
  owner: "p1",
  resourceTypes: [],
  properties: [],
  objects: [],
  tags: [],
};

for (const { title, run } of metadefPromises)
  testOnDatabases(`metadefs: ${title}`, "newton", ({ db }) => run(createMetadefRepository(db)));

testOnDatabases(
  "metadefs: things put into a namespace while it goes away go with it, or are refused",
  "newton",
  async ({ db, another }) => {
    const [one, two] = [createMetadefRepository(db), createMetadefRepository(await another())];
    for (let round = 0; round < 10; round++) {
      const { id } = await one.create(empty);
      const adding = Array.from({ length: 4 }, (_, index) =>
        two.tags.add(id, { name: `t${index}` }).then(
          () => true,
          (error: unknown) => {
            if (isServiceError(error, "metadefs.not_found")) return false;
            throw error;
          },
        ),
      );
      const [removed] = await Promise.all([one.remove(id), ...adding]);
      assert.equal(removed, true);
      for (const table of metadefTables) assert.equal(await count(db, table), 0, table);
    }
  },
);

testOnDatabases(
  "metadefs: of two who make the same at once one is told so, and a new resource type is made once",
  "newton",
  async ({ db, another }) => {
    const repositories = [createMetadefRepository(db), createMetadefRepository(await another())];
    for (let round = 0; round < 10; round++) {
      const resourceTypes = [{ name: `Type${round}`, prefix: null, propertiesTarget: null }];
      const made = await Promise.allSettled(
        repositories.flatMap((repository) => [
          repository.create({ ...empty, namespace: `Same${round}`, resourceTypes }),
          repository.create({ ...empty, namespace: `${round}-${repositories.indexOf(repository)}`, resourceTypes }),
        ]),
      );
      const refused = made.filter((one) => one.status === "rejected");
      assert.deepEqual(
        refused.map(({ reason }) => isServiceError(reason) && reason.code),
        ["metadefs.duplicate"],
      );
      assert.equal(await count(db, "metadef_resource_types"), round + 1);
    }
  },
);

async function count(db: Database, table: string): Promise<number> {
  return Number((await db.query<{ n: unknown }>(`select count(*) as n from ${table}`))[0]?.n);
}
