// A target between the revisions of one release: what is asked for is done and no more, and the rest of the release is still to come.
import assert from "node:assert/strict";
import { test } from "node:test";
import { releaseOf } from "../../releases/catalogue.ts";
import { testDialects, withTestDatabase } from "../testing/databases.ts";
import { check } from "./check.ts";
import { expand } from "./expand.ts";
import { headsFor, levelsOf, placeOf, releaseUpTo } from "./revisions.ts";
import { readLiveSchema } from "./schema-tools.ts";
import { sync } from "./sync.ts";
import { heads } from "./testing/rows.ts";
import { shapeOf } from "./testing/shape.ts";

const upTo = (revision: string) => releaseUpTo(placeOf(revision).level);

test("mid-release: a target is cut off behind its revision, and a whole release is itself", () => {
  assert.equal(upTo("rocky_contract02"), releaseOf("rocky"));
  assert.equal(upTo("mitaka02"), releaseOf("newton"));
  const cut = upTo("yoga_expand01");
  assert.deepEqual(
    cut.revisions.map((pair) => pair.expand),
    ["xena_expand01", "yoga_expand01"],
  );
  assert.deepEqual(cut.heads, { expanded: "yoga_expand01", contracted: "yoga_contract01" });
  assert.deepEqual(
    levelsOf(cut).map(({ level }) => level),
    levelsOf(releaseOf("2023.1"))
      .slice(0, 2)
      .map(({ level }) => level),
  );
  assert.deepEqual(headsFor(cut.level, cut.level), ["yoga_contract01"]);
});

for (const dialect of testDialects) {
  test(`mid-release: each half of rocky by itself, and both end where one run ends (${dialect})`, () =>
    withTestDatabase(dialect, "ocata", async ({ db }) => {
      await sync({ db, target: releaseOf("queens") });
      assert.deepEqual((await expand({ db, target: upTo("rocky_expand01") })).heads, [
        "queens_contract01",
        "rocky_expand01",
      ]);
      const half = await readLiveSchema(db);
      assert(half.column("images", "os_hidden") && !half.column("images", "os_hash_algo"));
      assert.deepEqual((await sync({ db, target: upTo("rocky_contract01") })).heads, ["rocky_contract01"]);
      assert.equal((await check(db, releaseOf("rocky"))).due, "expand", "the second half is still to come");
      await assert.rejects(
        sync({ db, target: releaseOf("queens") }),
        /contracted to rocky_contract01, .* name rocky or a newer/,
      );
      assert.deepEqual((await expand({ db, target: releaseOf("rocky") })).heads, [
        "rocky_contract01",
        "rocky_expand02",
      ]);
      await sync({ db, target: releaseOf("rocky") });
      assert.deepEqual(await heads(db), ["rocky_contract02"]);
      const shape = await shapeOf(db);
      await withTestDatabase(dialect, "empty", async ({ db: fresh }) => {
        await sync({ db: fresh, target: releaseOf("rocky") });
        assert.deepEqual(shape, await shapeOf(fresh));
      });
    }));

  test(`mid-release: expanded further than it is contracted to, the rows of both stand (${dialect})`, () =>
    withTestDatabase(dialect, "ocata", async ({ db }) => {
      await sync({ db, target: releaseOf("queens") });
      await expand({ db, target: releaseOf("rocky") });
      await sync({ db, target: upTo("rocky_contract01") });
      assert.deepEqual(await heads(db), ["rocky_contract01", "rocky_expand02"]);
      await sync({ db, target: releaseOf("2026.1") });
      assert.deepEqual(await heads(db), ["2024_1_contract01"]);
    }));
}
