import assert from "node:assert/strict";
import { test } from "node:test";
import { isServiceError } from "../core/errors.ts";
import type { ReleaseId } from "../releases/catalogue.ts";
import { admin, alice, bob, carol, Fixture, patch, withCode } from "./testing/fixture.ts";

test("members: at Newton every image but a public one has them, at Ocata a shared one only", async () => {
  const expected = {
    newton: { private: true, public: false },
    ocata: { shared: true, private: false, community: false },
  };
  for (const [release, visibilities] of Object.entries(expected) as [ReleaseId, Record<string, boolean>][])
    for (const [visibility, takes] of Object.entries(visibilities)) {
      const { images, members } = new Fixture().node({ release });
      const { id: imageId } = await images.create({ ...alice, isAdmin: true }, { visibility });
      if (takes) {
        assert.equal((await members.add(alice, imageId, "bob")).status, "pending");
        continue;
      }
      await assert.rejects(members.add(alice, imageId, "bob"), withCode("images.forbidden"));
      await assert.rejects(members.list(alice, imageId), withCode("images.forbidden"));
      await assert.rejects(members.show(alice, imageId, "bob"), withCode("images.not_found"));
      await assert.rejects(members.setStatus(admin, imageId, "bob", "accepted"), withCode("images.forbidden"));
      await assert.rejects(members.remove(alice, imageId, "bob"), withCode("images.forbidden"));
    }
});

test("members: the owner invites and removes, the member alone answers, others see nothing", async () => {
  const { images, members } = new Fixture().node();
  const { id: imageId } = await images.create(alice, {});
  await members.add(alice, imageId, "bob");
  await members.add(alice, imageId, "dora");
  await assert.rejects(members.add(alice, imageId, "bob"), withCode("images.duplicate"));
  await assert.rejects(members.add(bob, imageId, "carol"), withCode("images.forbidden"));
  await assert.rejects(members.add(carol, imageId, "carol"), withCode("images.not_found"));
  for (const member of ["", "x".repeat(256), "\u{1F600}"])
    await assert.rejects(members.add(alice, imageId, member), withCode("images.invalid"));

  assert.equal((await images.show(bob, imageId)).id, imageId, "a pending member sees the image by its id");
  assert.deepEqual(
    (await members.list(alice, imageId)).map(({ memberId }) => memberId),
    ["bob", "dora"],
  );
  assert.deepEqual(
    (await members.list(bob, imageId)).map(({ memberId }) => memberId),
    ["bob"],
  );
  assert.equal((await members.show(bob, imageId, "bob")).memberId, "bob");
  await assert.rejects(members.show(bob, imageId, "dora"), withCode("images.not_found"));
  await assert.rejects(members.show(alice, imageId, "nobody"), withCode("images.not_found"));
  await assert.rejects(members.list(carol, imageId), withCode("images.not_found"));

  assert.equal((await members.setStatus(bob, imageId, "bob", "accepted")).status, "accepted");
  assert.equal((await members.setStatus(admin, imageId, "dora", "rejected")).status, "rejected");
  await assert.rejects(members.setStatus(alice, imageId, "bob", "accepted"), withCode("images.forbidden"));
  await assert.rejects(members.setStatus(bob, imageId, "dora", "accepted"), withCode("images.not_found"));
  await assert.rejects(members.setStatus(bob, imageId, "bob", "maybe"), withCode("images.invalid"));
  await assert.rejects(members.setStatus(admin, imageId, "nobody", "accepted"), withCode("images.not_found"));
  await assert.rejects(members.setStatus(alice, imageId, "alice", "accepted"), withCode("images.not_found"));

  await assert.rejects(members.remove(bob, imageId, "bob"), withCode("images.forbidden"));
  await assert.rejects(members.remove(alice, imageId, "nobody"), withCode("images.not_found"));
  await members.remove(alice, imageId, "bob");
  await assert.rejects(images.show(bob, imageId), withCode("images.not_found"));
});

test("members: from Xena on an owner answers for no membership, not for one of its own project either, as beside the reference", async () => {
  const { images, members } = new Fixture().node({ release: "zed" });
  const { id: imageId } = await images.create(alice, {});
  const answer = () => members.setStatus(alice, imageId, "alice", "accepted");
  await assert.rejects(answer(), withCode("images.forbidden"), "of none");
  await members.add(alice, imageId, "alice");
  await assert.rejects(answer(), withCode("images.forbidden"), "of one that is there");
});

test("members: the quota holds, and so does the release's rule when the visibility changes under the request", async () => {
  const { images, members } = new Fixture().node();
  const { id: imageId } = await images.create(alice, {});
  for (const member of ["1", "2", "3"]) await members.add(alice, imageId, member);
  await assert.rejects(members.add(alice, imageId, "4"), withCode("images.over_limit"));
  await images.update(alice, imageId, patch({ op: "replace", path: ["visibility"], value: "private" }));
  await assert.rejects(members.add(alice, imageId, "4"), (error) => isServiceError(error, "images.forbidden"));
});
