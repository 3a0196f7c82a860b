// Members added from many sides at once, to images that are being changed, given properties and migrated at the same time: no deadlock
// (on PostgreSQL each would stall both sides for a second), and no member that is lost to Ocata.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../../test/servers/eventually.ts";
import { errorText } from "../../../core/errors.ts";
import { releaseOf } from "../../../releases/catalogue.ts";
import type { Database, Session } from "../../database.ts";
import { expand } from "../../schema/expand.ts";
import { migrate } from "../../schema/migrate.ts";
import { fillNewton, idOf, visibilityById } from "../../schema/testing/rows.ts";
import { testDialects, withTestDatabase } from "../../testing/databases.ts";

const ocata = releaseOf("ocata");
/** Few, so that everybody meets everybody. */
const images = 12;
const turns = 60;

/** Each in a session of its own, without a retry: what the server refuses is seen. */
const writers: readonly ((session: Session, turn: number, who: number) => Promise<unknown>)[] = [
  (session, turn, who) =>
    session.run(
      "INSERT INTO image_members (image_id, member, can_share, created_at, deleted, status) VALUES (?, ?, FALSE, '2016-10-01 00:00:00', FALSE, 'pending')",
      [idOf((turn * 5 + who) % images), `${who}-${turn}`],
    ),
  async (session, turn, who) => {
    const id = idOf((turn * 7 + who) % images);
    await session.run("BEGIN");
    await session.run(
      "INSERT INTO image_properties (image_id, name, value, created_at, deleted) VALUES (?, ?, 'x', '2016-10-01 00:00:00', FALSE)",
      [id, `${who}-${turn}`],
    );
    await session.run("UPDATE images SET updated_at = created_at, is_public = is_public WHERE id = ?", [id]);
    await session.run("COMMIT");
  },
  (session, turn, who) =>
    session.run("UPDATE images SET size = ? WHERE id = ?", [turn, idOf((turn * 11 + who) % images)]),
  // A member is removed and comes back, each by one statement, as nodes of the reference do.
  async (session, turn, who) => {
    const member = [idOf((turn * 3 + who) % images), `${who}-back`];
    const { rowsAffected } = await session.run(
      "UPDATE image_members SET deleted = FALSE WHERE image_id = ? AND member = ?",
      member,
    );
    if (rowsAffected === 0)
      await session.run(
        "INSERT INTO image_members (image_id, member, can_share, created_at, deleted, status) VALUES (?, ?, FALSE, '2016-10-01 00:00:00', FALSE, 'pending')",
        member,
      );
    else await session.run("UPDATE image_members SET deleted = TRUE WHERE image_id = ? AND member = ?", member);
  },
];

async function writeAll(db: Database, failures: string[]): Promise<void> {
  await Promise.all(
    [...writers, ...writers].map((write, who) =>
      db.session(async (session) => {
        for (let turn = 0; turn < turns; turn++)
          try {
            await write(session, turn, who);
          } catch (error) {
            failures.push(errorText(error));
            await session.run("ROLLBACK");
          }
      }),
    ),
  );
}

for (const dialect of testDialects.filter((name) => name === "postgresql"))
  test(`member triggers: added at once, beside updates and the data migration, without a deadlock (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db, another }) => {
      await fillNewton(db, images);
      await expand({ db, target: ocata });
      const failures: string[] = [];
      const writing = writeAll(await another(), failures);
      await migrate({ db, target: ocata, backfill: { batchRows: 3, batchRowsMax: 3 } });
      await writing;
      assert.deepEqual(failures, []);
      const visibilities = await visibilityById(db);
      const members = await db.query<{ id: string }>(
        "SELECT DISTINCT image_id AS id FROM image_members WHERE deleted <> TRUE",
      );
      const lost = members.filter(({ id }) => !["shared", "public"].includes(visibilities[id] ?? ""));
      assert.deepEqual(lost, [], "an image with members is shared");
    }));

// SQLite has one writer: who adds a member holds the migration as a whole.
for (const dialect of testDialects.filter((name) => name !== "sqlite"))
  test(`member triggers: the data migration waits for a member that is being added, and sees it (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db, another }) => {
      await fillNewton(db, images);
      await expand({ db, target: ocata });
      const id = idOf(1);
      const other = await another();
      await other.session(async (session) => {
        await session.run("BEGIN");
        await session.run(
          "INSERT INTO image_members (image_id, member, can_share, created_at, deleted, status) VALUES (?, 'late', FALSE, '2016-10-01 00:00:00', FALSE, 'pending')",
          [id],
        );
        const migrating = migrate({ db, target: ocata });
        await eventually("all other images are migrated", async () => {
          const rows = await other.query<{ id: string }>("SELECT id FROM images WHERE visibility IS NULL");
          return rows.length === 1 && rows[0]?.id === id;
        });
        await session.run("COMMIT");
        await migrating;
      });
      assert.equal((await visibilityById(db))[id], "shared");
    }));
