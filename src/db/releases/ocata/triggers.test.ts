// The triggers of the expanded schema against the truth tables of the reference, every combination, on both databases.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { isServiceError } from "../../../core/errors.ts";
import { releaseOf } from "../../../releases/catalogue.ts";
import type { Database } from "../../database.ts";
import { expand } from "../../schema/expand.ts";
import { testDialects, withTestDatabase } from "../../testing/databases.ts";

type Public = 0 | 1 | null;
type Visible = "private" | "public" | "shared" | "community" | null;
/** undefined: the statement does not name the column. */
type Given = { readonly isPublic: Public | undefined; readonly visibility: Visible | undefined };
type Stored = readonly [Public, Visible];

const visibilities = ["private", "public", "shared", "community"] as const;
const publics = [undefined, null, 0, 1] as const;
const given = publics.flatMap((isPublic) =>
  [undefined, null, ...visibilities].map((visibility): Given => ({ isPublic, visibility })),
);
const refused = "refused";

function insertOf({ isPublic = null, visibility = null }: Given): Stored | typeof refused {
  if ((isPublic === null) === (visibility === null)) return refused;
  if (isPublic !== null) return [isPublic, isPublic === 1 ? "public" : "shared"];
  return [visibility === "public" ? 1 : 0, visibility];
}

function updateOf(old: Stored, { isPublic = old[0], visibility = old[1] }: Given): Stored | typeof refused {
  const publicChanged = isPublic !== old[0];
  const visibilityChanged = visibility !== old[1];
  if (!publicChanged && !visibilityChanged) return old;
  if (publicChanged && (isPublic === null || visibilityChanged)) return refused;
  if (publicChanged) return [isPublic, isPublic === 1 ? "public" : "shared"];
  return visibility === null ? refused : [visibility === "public" ? 1 : 0, visibility];
}

const named = ({ isPublic, visibility }: Given) => [
  ...(isPublic === undefined ? [] : [["is_public", isPublic] as const]),
  ...(visibility === undefined ? [] : [["visibility", visibility] as const]),
];
const text = (columns: Given) => JSON.stringify(Object.fromEntries(named(columns)));

async function insert(db: Database, columns: Given): Promise<string> {
  const id = randomUUID();
  const values = [
    ["id", id],
    ["status", "active"],
    ["created_at", "2016-10-01 00:00:00"],
    ["deleted", 0],
  ] as const;
  const zeros = [
    ["min_disk", 0],
    ["min_ram", 0],
    ["protected", 0],
  ] as const;
  const all = [...values, ...zeros, ...named(columns)];
  const marks = all.map(() => "?").join(", ");
  await db.run(
    `INSERT INTO images (${all.map(([name]) => name).join(", ")}) VALUES (${marks})`,
    all.map(([, value]) => value),
  );
  return id;
}

async function stored(db: Database, id: string): Promise<Stored> {
  const [row] = await db.query("SELECT is_public, visibility FROM images WHERE id = ?", [id]);
  return [row?.is_public == null ? null : (Number(row.is_public) as Public), row?.visibility as Visible];
}

/** What a statement leads to; the trigger's refusal has to be the one that clients know. */
async function outcome(db: Database, id: string | undefined, statement: () => Promise<unknown>) {
  try {
    const made = await statement();
    return await stored(db, id ?? String(made));
  } catch (error) {
    assert(isServiceError(error, "db.integrity"), String(error));
    assert.match(error.message, /Invalid visibility value/);
    if (db.dialect.name === "mysql") assert.equal(error.facts.sqlState, "45000");
    return refused;
  }
}

async function addMember(db: Database, imageId: string, deleted: 0 | 1): Promise<void> {
  await db.run(
    "INSERT INTO image_members (image_id, member, can_share, created_at, deleted, status) VALUES (?, 'bob', FALSE, '2016-10-01 00:00:00', ?, 'pending')",
    [imageId, deleted],
  );
}

const starts = ["Newton's is_public", "is_public relaxed by the reference"] as const;
for (const dialect of testDialects)
  for (const start of starts)
    test(`triggers: truth tables from ${start} (${dialect})`, () =>
      withTestDatabase(dialect, "newton", async ({ db }) => {
        const dropNotNull = "ALTER COLUMN is_public DROP NOT NULL";
        const relax = { mysql: "MODIFY is_public tinyint(1) NULL", sqlite: dropNotNull, postgresql: dropNotNull };
        const isRelaxed = start === "is_public relaxed by the reference";
        if (isRelaxed) await db.session((session) => session.run(`ALTER TABLE images ${relax[dialect]}`));
        // Rows from before expand have no visibility, until the data migration reaches them.
        const before = new Map<Public, string[]>([
          [0, []],
          [1, []],
        ]);
        for (const [isPublic, ids] of before)
          for (const _ of given) ids.push(await insert(db, { isPublic, visibility: undefined }));
        await expand({ db, target: releaseOf("ocata") });

        for (const columns of given)
          assert.deepEqual(
            await outcome(db, undefined, () => insert(db, columns)),
            insertOf(columns),
            `INSERT ${text(columns)}`,
          );

        const olds: readonly Stored[] = [
          [0, null],
          [1, null],
          [0, "private"],
          [0, "shared"],
          [0, "community"],
          [1, "public"],
        ];
        for (const old of olds)
          for (const columns of given) {
            const assignments = named(columns);
            if (assignments.length === 0) continue;
            const kept = old[1] === null ? before.get(old[0])?.pop() : undefined;
            const id = kept ?? (await insert(db, { isPublic: undefined, visibility: old[1] }));
            assert.deepEqual(await stored(db, id), old, "the row as it stands before the UPDATE");
            const set = assignments.map(([name]) => `${name} = ?`).join(", ");
            const values = assignments.map(([, value]) => value);
            const update = () => db.run(`UPDATE images SET ${set} WHERE id = ?`, [...values, id]);
            assert.deepEqual(
              await outcome(db, id, update),
              updateOf(old, columns),
              `UPDATE ${old} SET ${text(columns)}`,
            );
          }
      }));

for (const dialect of testDialects)
  test(`triggers: a live member makes a private image shared, and no other (${dialect})`, () =>
    withTestDatabase(dialect, "newton", async ({ db }) => {
      const old = await insert(db, { isPublic: 0, visibility: undefined });
      await expand({ db, target: releaseOf("ocata") });
      for (const visibility of visibilities) {
        const id = await insert(db, { isPublic: undefined, visibility });
        await addMember(db, id, 1);
        assert.equal((await stored(db, id))[1], visibility, "a removed member changes nothing");
        await db.run("UPDATE image_members SET deleted = FALSE, status = 'accepted' WHERE image_id = ?", [id]);
        const shared = visibility === "private" ? "shared" : visibility;
        assert.equal((await stored(db, id))[1], shared, "added again by an UPDATE of its old row");
        await db.run("UPDATE images SET visibility = 'private' WHERE id = ?", [id]);
        await db.run("UPDATE image_members SET status = 'rejected' WHERE image_id = ?", [id]);
        await db.run("UPDATE image_members SET deleted = TRUE WHERE image_id = ?", [id]);
        assert.equal((await stored(db, id))[1], "private", "neither an answer nor a removal shares an image");
        await db.run("DELETE FROM image_members WHERE image_id = ?", [id]);
        await addMember(db, id, 0);
        assert.equal((await stored(db, id))[1], "shared", "added by an INSERT");
      }
      await addMember(db, old, 0);
      assert.deepEqual(await stored(db, old), [0, null], "a row that waits for the data migration goes on waiting");
    }));
