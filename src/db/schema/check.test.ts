// `db check` measures a database against the release one wants to go to, and not against the newest one alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Release, releaseOf, releases } from "../../releases/catalogue.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { check } from "./check.ts";
import { expand } from "./expand.ts";
import { migrate } from "./migrate.ts";
import { sync } from "./sync.ts";

for (const dialect of testDialects) {
  test(`check: a database finished for a release is finished for all that share its schema, and due for newer ones (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      const finished = [...new Map(releases.map((release) => [release.level, release])).values()];
      for (const release of finished) {
        await sync({ db, target: release });
        for (const target of releases) await assertDue(target, release);
      }
      async function assertDue(target: Release, release: Release) {
        if (target.level < release.level) {
          await assert.rejects(check(db, target), { code: "schema.out_of_order" }, `${release.id} for ${target.id}`);
          return;
        }
        const { due, contracted } = await check(db, target);
        const wanted = target.level === release.level ? "nothing" : "expand";
        assert.equal(due, wanted, `${release.id} for ${target.id}`);
        assert.equal(releaseOf(contracted as Release["id"]).level, release.level);
      }
    }));

  test(`check: between two releases each target has its own answer (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      const due = async (target: Release["id"]) => (await check(db, releaseOf(target))).due;
      await sync({ db, target: releaseOf("queens") });
      await expand({ db, target: releaseOf("train") });
      await migrate({ db, target: releaseOf("train") });
      assert.deepEqual(
        [await due("queens"), await due("rocky"), await due("stein"), await due("train"), await due("2026.1")],
        ["nothing", "contract", "contract", "contract", "expand"],
      );
    }));
}
