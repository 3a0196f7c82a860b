// Members in real databases, at both releases.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { isServiceError } from "../../core/errors.ts";
import { testOnDatabases } from "../testing/databases.ts";
import { draft, newton, nodeOf, ocata } from "../testing/images.ts";

const code = (name: string) => (error: unknown) => isServiceError(error) && error.code === name;
const states = [
  ["newton", newton, "private"],
  ["ocata", ocata, "shared"],
] as const;

for (const [state, capabilities, shared] of states) {
  const as = capabilities === newton ? "newton" : "ocata";

  testOnDatabases(
    `members as ${as}: added pending, answered by the member, removed, and back`,
    state,
    async ({ db }) => {
      const { images, members } = nodeOf(db, capabilities);
      const { id } = await images.create(draft({ visibility: shared }));
      const added = await members.add(id, "bob", 5);
      assert.deepEqual([added.imageId, added.memberId, added.status], [id, "bob", "pending"]);
      assert.deepEqual(await members.find(id, "bob"), added);
      await assert.rejects(members.add(id, "bob", 5), code("images.duplicate"));
      assert.equal((await members.setStatus(id, "bob", "accepted"))?.status, "accepted");
      await members.add(id, "carol", 5);
      assert.deepEqual(
        (await members.list(id)).map(({ memberId, status }) => [memberId, status]),
        [
          ["bob", "accepted"],
          ["carol", "pending"],
        ],
      );
      assert.equal(await members.remove(id, "bob"), true);
      assert.equal(await members.remove(id, "bob"), false);
      assert.equal(await members.find(id, "bob"), undefined);
      assert.equal(await members.setStatus(id, "bob", "accepted"), undefined);
      assert.equal((await members.add(id, "bob", 5)).status, "pending");
      const rows = await db.query("select id from image_members where member = 'bob'");
      assert.equal(rows.length, 1, "who comes back has the old row");
    },
  );

  testOnDatabases(`members as ${as}: the limit counts live members`, state, async ({ db }) => {
    const { images, members } = nodeOf(db, capabilities);
    const { id } = await images.create(draft({ visibility: shared }));
    await members.add(id, "m1", 2);
    await members.add(id, "m2", 2);
    await members.remove(id, "m1");
    await members.add(id, "m3", 2);
    await assert.rejects(members.add(id, "m4", 2), code("images.over_limit"));
    await members.add(id, "m4", -1);
  });

  testOnDatabases(`members as ${as}: refused where an image has none`, state, async ({ db }) => {
    const { images, members } = nodeOf(db, capabilities);
    for (const visibility of capabilities.visibilities) {
      const { id } = await images.create(draft({ visibility }));
      const takes = capabilities === newton ? visibility !== "public" : visibility === "shared";
      if (takes) await members.add(id, "bob", -1);
      else await assert.rejects(members.add(id, "bob", -1), code("images.forbidden"), visibility);
    }
    await assert.rejects(members.add(randomUUID(), "bob", -1), code("images.not_found"));
  });
}

testOnDatabases("members: two who add the same member at once add it once", "ocata", async ({ db, another }) => {
  const { images, members } = nodeOf(db, ocata);
  const other = nodeOf(await another(), ocata).members;
  const { id } = await images.create(draft({ visibility: "shared" }));
  const tries = await Promise.allSettled([
    members.add(id, "bob", -1),
    other.add(id, "bob", -1),
    members.add(id, "bob", -1),
  ]);
  assert.equal(tries.filter((attempt) => attempt.status === "fulfilled").length, 1);
  for (const attempt of tries) if (attempt.status === "rejected") assert(code("images.duplicate")(attempt.reason));
});

testOnDatabases("members: two live rows of one pair are one member, and go together", "ocata", async ({ db }) => {
  const { images, members } = nodeOf(db, ocata);
  const { id } = await images.create(draft({ visibility: "shared" }));
  await members.add(id, "bob", -1);
  const now = db.dialect.nowSql;
  const second = `insert into image_members (image_id, member, can_share, status, created_at, updated_at, deleted) values (?, 'bob', false, 'accepted', ${now}, ${now}, false)`;
  await db.run(second, [id]);
  assert.equal((await members.list(id)).length, 1);
  assert.equal((await members.setStatus(id, "bob", "rejected"))?.status, "rejected");
  assert.equal(await members.remove(id, "bob"), true);
  assert.deepEqual(await members.list(id), []);
  await members.add(id, "bob", -1);
  await db.run(second, [id]);
  assert.deepEqual(await images.remove(id, { leaseId: "l", node: "n", leaseSeconds: 60 }), { cleanup: null });
  assert.deepEqual(await db.query("select id from image_members where deleted = false"), []);
});
