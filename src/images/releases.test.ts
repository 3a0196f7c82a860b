// What images may be made of and changed to at each release: a later release's attribute is an earlier one's property, and what a release
// reserved is refused from then on.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { type ReleaseId, releases } from "../releases/catalogue.ts";
import type { ListImagesRequest } from "./services.ts";
import { admin, alice, bob, Fixture, formats, patch, send, withCode } from "./testing/fixture.ts";

const idsWhere = (holds: (index: number) => boolean) =>
  releases.filter(({ order }) => holds(order)).map(({ id }) => id as ReleaseId);
const orderOf = (id: ReleaseId) => releases.findIndex((release) => release.id === id);
const since = (id: ReleaseId) => idsWhere((order) => order >= orderOf(id));
const before = (id: ReleaseId) => idsWhere((order) => order < orderOf(id));

const page = (changes: Partial<ListImagesRequest> = {}): ListImagesRequest => ({
  filters: [],
  memberStatus: "accepted",
  sort: [],
  limit: 10,
  ...changes,
});
const add = (name: string, value: unknown) => patch({ op: "add", path: [name], value });
const remove = (name: string) => patch({ op: "remove", path: [name] });

test("hiding: since Rocky an image may be made hidden, is left out of lists and shown by its id, and may be shown again", async () => {
  for (const release of since("rocky")) {
    const { images } = new Fixture().node({ release });
    const shown = await images.create(alice, {});
    const hidden = await images.create(alice, { os_hidden: true });
    assert.deepEqual([shown.hidden, hidden.hidden], [false, true]);
    const listed = async (asked?: boolean) => {
      const { images: found } = await images.list(alice, page(asked === undefined ? {} : { hidden: asked }));
      return found.map(({ id }) => id);
    };
    assert.deepEqual(await listed(), [shown.id]);
    assert.deepEqual(await listed(false), [shown.id]);
    assert.deepEqual(await listed(true), [hidden.id]);
    assert.equal((await images.show(alice, hidden.id)).hidden, true);
    assert.equal((await images.update(alice, hidden.id, add("os_hidden", false))).hidden, false);
    assert.equal((await listed()).length, 2);
    for (const value of ["true", null, 1])
      await assert.rejects(images.update(alice, shown.id, add("os_hidden", value)), withCode("images.invalid"));
    await assert.rejects(images.create(alice, { os_hidden: "true" }), withCode("images.invalid"));
    await assert.rejects(images.update(alice, shown.id, remove("os_hidden")), withCode("images.forbidden"));
  }
});

test("hiding: before Rocky os_hidden is a property, and lists hold every image", async () => {
  for (const release of before("rocky")) {
    const { images } = new Fixture().node({ release });
    await assert.rejects(images.create(alice, { os_hidden: true }), withCode("images.invalid"), release);
    const image = await images.create(alice, { os_hidden: "true" });
    assert.deepEqual([image.hidden, image.properties], [false, { os_hidden: "true" }]);
    assert.deepEqual((await images.update(alice, image.id, remove("os_hidden"))).properties, {});
    assert.equal((await images.list(alice, page())).images.length, 1);
  }
});

test("multihash: since Rocky an upload leaves the configured hash beside the checksum; before, none", async () => {
  const data = randomBytes(700_000);
  for (const release of releases) {
    const node = new Fixture().node({ release: release.id });
    const { id } = await node.images.create(alice, formats);
    await send(node, alice, id, data);
    const image = await node.images.show(alice, id);
    assert.equal(image.checksum, createHash("md5").update(data).digest("hex"));
    const expected = release.capabilities.multihash
      ? ["sha512", createHash("sha512").update(data).digest("hex")]
      : [null, null];
    assert.deepEqual([image.hashAlgorithm, image.hashValue], expected, release.id);
  }
});

test("multihash: the operator's algorithm is used, MD5 too, and for an image without a byte", async () => {
  for (const hashAlgorithm of ["sha256", "md5"] as const)
    for (const data of [Buffer.alloc(0), randomBytes(1_000)]) {
      const node = new Fixture().node({ release: "2026.1", settings: { hashAlgorithm } });
      const { id } = await node.images.create(alice, formats);
      await send(node, alice, id, data);
      const { hashAlgorithm: shown, hashValue } = await node.images.show(alice, id);
      assert.deepEqual([shown, hashValue], [hashAlgorithm, createHash(hashAlgorithm).update(data).digest("hex")]);
    }
});

test("multihash: nobody sets it: POST checks what it is given and forgets it, PATCH refuses; before Rocky it is a property", async () => {
  for (const release of since("rocky")) {
    const { images } = new Fixture().node({ release });
    const image = await images.create(alice, { os_hash_algo: "sha512", os_hash_value: null });
    assert.deepEqual([image.hashAlgorithm, image.hashValue, image.properties], [null, null, {}]);
    for (const attributes of [{ os_hash_algo: 1 }, { os_hash_value: "x".repeat(129) }])
      await assert.rejects(images.create(alice, attributes), withCode("images.invalid"));
    for (const change of [add("os_hash_algo", "md5"), add("os_hash_value", "00"), remove("os_hash_value")])
      await assert.rejects(images.update(admin, image.id, change), withCode("images.forbidden"));
  }
  for (const release of before("rocky")) {
    const { images } = new Fixture().node({ release });
    const image = await images.create(alice, { os_hash_value: "mine" });
    assert.deepEqual(image.properties, { os_hash_value: "mine" });
    assert.equal(
      (await images.update(alice, image.id, add("os_hash_value", "other"))).properties.os_hash_value,
      "other",
    );
  }
});

test("reserved names: each is refused from the release on that reserved it, in POST and in PATCH, adding and removing", async () => {
  const names: readonly (readonly [name: string, reservedSince: ReleaseId])[] = [
    ["os_glance_stage_host", "newton"],
    ["os_glance_import_task", "ussuri"],
    ["os_glance_importing_to_stores", "wallaby"],
    ["os_glanceX", "wallaby"],
  ];
  for (const [name, reserved] of names) {
    for (const release of since(reserved)) {
      const { images } = new Fixture().node({ release });
      await assert.rejects(images.create(admin, { [name]: "x" }), withCode("images.forbidden"), `${name}, ${release}`);
      const { id } = await images.create(admin, {});
      for (const change of [add(name, "x"), remove(name)])
        await assert.rejects(images.update(admin, id, change), withCode("images.forbidden"));
    }
    for (const release of before(reserved)) {
      const { images } = new Fixture().node({ release });
      assert.equal((await images.create(alice, { [name]: "x" })).properties[name], "x", `${name}, ${release}`);
    }
  }
});

test("reserved names: stores since Ussuri and location since Wallaby are refused in POST; PATCH makes stores a property", async () => {
  for (const [name, reserved] of [
    ["stores", "ussuri"],
    ["location", "wallaby"],
  ] as const) {
    for (const release of since(reserved))
      await assert.rejects(
        new Fixture().node({ release }).images.create(admin, { [name]: "x" }),
        withCode("images.forbidden"),
      );
    for (const release of before(reserved))
      assert.equal((await new Fixture().node({ release }).images.create(alice, { [name]: "x" })).properties[name], "x");
  }
  const { images } = new Fixture().node({ release: "2026.1" });
  const { id } = await images.create(alice, {});
  assert.equal((await images.update(alice, id, add("stores", "x"))).properties.stores, "x");
  await assert.rejects(images.update(alice, id, add("location", "x")), withCode("images.forbidden"));
});

test("reserved names: what the service itself noted counts against no quota, and another's PATCH leaves it", async () => {
  const fixture = new Fixture();
  const { images } = fixture.node({ release: "2026.1", settings: { propertiesMax: 2 } });
  const { id } = await images.create(alice, { a: "1" });
  fixture.database.write(id, {
    properties: { a: "1", os_glance_importing_to_stores: "", os_glance_failed_import: "" },
  });
  const image = await images.update(alice, id, add("b", "2"));
  assert.equal(Object.keys(image.properties).length, 4);
  await assert.rejects(images.update(alice, id, add("c", "3")), withCode("images.over_limit"));
});

test("volume keys: since Train only the two policies there are may be given", async () => {
  const name = "cinder_encryption_key_deletion_policy";
  for (const release of since("train")) {
    const { images } = new Fixture().node({ release });
    await assert.rejects(images.create(alice, { [name]: "burn" }), withCode("images.invalid"));
    const { id } = await images.create(alice, { [name]: "do_not_delete" });
    await assert.rejects(images.update(alice, id, add(name, "burn")), withCode("images.invalid"));
  }
  for (const release of before("train"))
    assert.equal(
      (await new Fixture().node({ release }).images.create(alice, { [name]: "burn" })).properties[name],
      "burn",
    );
});

test("formats: ploop since Ocata, compressed since Train, unless the operator names others", async () => {
  for (const { id: release } of releases) {
    const { images } = new Fixture().node({ release });
    const ploop = images.create(alice, { disk_format: "ploop" });
    if (since("ocata").includes(release)) await ploop;
    else await assert.rejects(ploop, withCode("images.invalid"));
    const compressed = images.create(alice, { container_format: "compressed" });
    if (since("train").includes(release)) await compressed;
    else await assert.rejects(compressed, withCode("images.invalid"));
  }
});

test("members: at Newton on every image that is not public, since Ocata on shared ones alone", async () => {
  for (const { id: release, capabilities } of releases) {
    const { images, members } = new Fixture().node({ release });
    for (const visibility of capabilities.visibilities) {
      const { id } = await images.create(admin, { visibility, owner: "alice" });
      const adding = members.add(alice, id, "bob");
      if (visibility === "shared" || (release === "newton" && visibility === "private")) {
        await adding;
        assert.equal((await images.show(bob, id)).id, id);
      } else await assert.rejects(adding, withCode("images.forbidden"), `${release}, ${visibility}`);
    }
  }
});
