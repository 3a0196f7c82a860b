import assert from "node:assert/strict";
import { test } from "node:test";
import type { Policy } from "../core/caller.ts";
import type { ReleaseId } from "../releases/catalogue.ts";
import type { ListImagesRequest } from "./services.ts";
import { admin, alice, bob, Fixture, formats, patch, read, send, withCode } from "./testing/fixture.ts";

const page = (changes: Partial<ListImagesRequest> = {}): ListImagesRequest => ({
  filters: [],
  memberStatus: "accepted",
  sort: [],
  limit: null,
  ...changes,
});
const id = "11111111-2222-4333-8444-555555555555";

test("create: an empty request makes a queued image of the caller's project, with the release's default visibility", async () => {
  for (const [release, visibility] of [
    ["newton", "private"],
    ["ocata", "shared"],
  ] as const) {
    const image = await new Fixture().node({ release }).images.create(alice, {});
    assert.match(image.id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(
      [image.status, image.visibility, image.owner, image.name, image.protected, image.tags, image.sizeBytes],
      ["queued", visibility, "alice", null, false, [], null],
    );
  }
});

test("create: base attributes and custom properties are kept", async () => {
  const { images } = new Fixture().node();
  const image = await images.create(alice, {
    id,
    name: "debian",
    tags: ["a", "b", "a"],
    min_disk: 3,
    min_ram: 4,
    protected: true,
    visibility: "community",
    os_distro: "debian",
    is_public: "false",
    ["__proto__"]: "own",
    ...formats,
  });
  assert.deepEqual(
    [image.id, image.name, image.tags, image.minDiskGb, image.minRamMb],
    [id, "debian", ["a", "b"], 3, 4],
  );
  assert.deepEqual([image.diskFormat, image.containerFormat, image.protected], ["raw", "bare", true]);
  assert.deepEqual(Object.entries(image.properties).sort(), [
    ["__proto__", "own"],
    ["is_public", "false"],
    ["os_distro", "debian"],
  ]);
  await assert.rejects(images.create(alice, { id }), withCode("images.duplicate"));
});

test("create: wrong values, reserved names, foreign owners and quotas are told apart", async () => {
  const { images } = new Fixture().node();
  for (const attributes of [
    { id: "no uuid" },
    { name: 1 },
    { visibility: "secret" },
    { disk_format: "tar" },
    { custom: 1 },
    { deleted: false },
    { deleted_at: null },
    { deleted: "x", name: 1 },
    { size: "x" },
    { size: 1.5 },
    { virtual_size: true },
    { checksum: 5 },
    { checksum: "c".repeat(33) },
    { status: "none" },
    { status: null },
    { created_at: 1 },
    { updated_at: null },
    { locations: "x" },
    { locations: [{ url: "http://one.example/" }] },
    { locations: [{ url: 1, metadata: {} }] },
    { locations: [{ url: "http://one.example/", metadata: [] }] },
    { size: 1, min_ram: "x" },
  ])
    await assert.rejects(images.create(alice, attributes), withCode("images.invalid"), JSON.stringify(attributes));
  const reserved = "created_at updated_at checksum self file schema direct_url deleted deleted_at".split(" ");
  for (const attributes of [
    ...reserved.map((name) => ({ [name]: "x" })),
    { status: "active" },
    { size: 1 },
    { virtual_size: null },
    { checksum: null },
    { locations: [{ url: "http://one.example/", metadata: {} }] },
  ])
    await assert.rejects(images.create(admin, attributes), withCode("images.forbidden"), JSON.stringify(attributes));
  await assert.rejects(images.create(alice, { self: 1, min_disk: -1 }), withCode("images.forbidden"));
  assert((await images.create(alice, { location: "x" })).properties.location, "reserved on create only since Wallaby");
  await assert.rejects(images.create(alice, { owner: "bob" }), withCode("images.forbidden"));
  await assert.rejects(images.create(alice, { owner: null }), withCode("images.forbidden"));
  await assert.rejects(images.create({ ...alice, projectId: null }, {}), withCode("images.forbidden"));
  assert.equal((await images.create(admin, { owner: "bob" })).owner, "bob");
  assert.equal((await images.create(admin, {})).owner, null);
  const many = Object.fromEntries([1, 2, 3, 4, 5, 6].map((n) => [`p${n}`, "x"]));
  await assert.rejects(images.create(alice, many), withCode("images.over_limit"));
  await assert.rejects(images.create(alice, { tags: ["1", "2", "3", "4", "5", "6"] }), withCode("images.over_limit"));
});

test("create: publicizing is the policy's to allow, community unknown at Newton", async () => {
  const fixture = new Fixture();
  await assert.rejects(fixture.node().images.create(alice, { visibility: "public" }), withCode("images.forbidden"));
  assert.equal((await fixture.node().images.create(admin, { visibility: "public" })).visibility, "public");
  const newton = fixture.node({ release: "newton" });
  for (const visibility of ["community", "shared"])
    await assert.rejects(newton.images.create(alice, { visibility }), withCode("images.invalid"));
  const refusing = fixture.node({ policy: { allows: (rule) => rule !== "communitize_image" } });
  await assert.rejects(refusing.images.create(alice, { visibility: "community" }), withCode("images.forbidden"));
  const none = fixture.node({ policy: { allows: () => false } });
  await assert.rejects(none.images.create(alice, {}), withCode("images.forbidden"));
  await assert.rejects(none.images.list(alice, page()), withCode("images.forbidden"));
});

test("access: what is invisible does not exist, what is visible but foreign is forbidden", async () => {
  for (const release of ["newton", "ocata"] satisfies ReleaseId[]) {
    const { images, data } = new Fixture().node({ release });
    const hidden = await images.create(alice, { visibility: "private" });
    const open = await images.create(admin, { visibility: "public", owner: "alice" });
    for (const [image, code] of [
      [hidden, "images.not_found"],
      [open, "images.forbidden"],
    ] as const) {
      const change = patch({ op: "replace", path: ["name"], value: "x" });
      await assert.rejects(images.update(bob, image.id, change), withCode(code));
      await assert.rejects(images.remove(bob, image.id), withCode(code));
      await assert.rejects(images.addTag(bob, image.id, "x"), withCode(code));
      await assert.rejects(images.removeTag(bob, image.id, "x"), withCode(code));
      await assert.rejects(images.deactivate(bob, image.id), withCode(code));
      await assert.rejects(send({ data } as never, bob, image.id, Buffer.from("x")), withCode(code));
    }
    await assert.rejects(images.show(bob, hidden.id), withCode("images.not_found"));
    assert.equal((await images.show(bob, open.id)).id, open.id);
    assert.equal((await images.show(admin, hidden.id)).id, hidden.id);
    await assert.rejects(images.show(alice, "x".repeat(5_000)), withCode("images.not_found"));
  }
});

test("access: an image nobody owns is seen by all and changed by admins only", async () => {
  const { images } = new Fixture().node();
  const image = await images.create(admin, {});
  assert.equal((await images.show(alice, image.id)).id, image.id);
  await assert.rejects(images.remove({ ...alice, projectId: null }, image.id), withCode("images.forbidden"));
  await images.remove(admin, image.id);
});

test("list: default, cap, and a next page exactly where the page is full", async () => {
  const { images } = new Fixture().node();
  for (let n = 0; n < 12; n++) await images.create(alice, { name: `${n}` });
  assert.deepEqual(
    (await images.list(alice, page())).images.map(({ name }) => name),
    ["11", "10", "9"],
  );
  const capped = await images.list(alice, page({ limit: 500 }));
  assert.deepEqual([capped.limit, capped.images.length, capped.nextMarker], [10, 10, capped.images[9]?.id]);
  const last = await images.list(alice, page({ limit: 10, marker: capped.nextMarker ?? "" }));
  assert.deepEqual([last.images.length, last.nextMarker], [2, null]);
  assert.deepEqual(await images.list(alice, page({ limit: 0 })), { images: [], limit: 0, nextMarker: null });
});

test("update: all operations or none, and an empty patch changes nothing", async () => {
  const { images } = new Fixture().node();
  const image = await images.create(alice, { name: "old", os_distro: "debian" });
  assert.deepEqual(await images.update(alice, image.id, patch()), image);
  const changed = await images.update(
    alice,
    image.id,
    patch({ op: "replace", path: ["name"], value: "new" }, { op: "remove", path: ["os_distro"] }),
  );
  assert.deepEqual([changed.name, changed.properties], ["new", {}]);
  assert(changed.updatedAt > image.updatedAt);
  const half = patch({ op: "replace", path: ["name"], value: "newer" }, { op: "remove", path: ["os_distro"] });
  await assert.rejects(images.update(alice, image.id, half), withCode("images.property_conflict"));
  assert.deepEqual(await images.show(alice, image.id), changed);
});

test("update: an empty patch shows the image to whoever may see it, and asks nothing of who may change it, as beside the reference", async () => {
  for (const release of ["newton", "wallaby", "zed"] satisfies ReleaseId[]) {
    const fixture = new Fixture();
    const asked = new Set<string>();
    const policy: Policy = { allows: (rule) => asked.add(rule).size > 0 };
    const { images } = fixture.node({ release, policy });
    const open = await images.create(admin, { visibility: "public", owner: "alice" });
    const hidden = await images.create(alice, { visibility: "private" });
    asked.clear();
    assert.deepEqual(await images.update(bob, open.id, patch()), await images.show(bob, open.id));
    await assert.rejects(images.update(bob, hidden.id, patch()), withCode("images.not_found"));
    assert.equal(asked.has("modify_image"), false);
    const blind = fixture.node({ release, policy: { allows: (rule) => rule !== "get_image" } }).images;
    const code = release === "zed" ? "images.not_found" : "images.forbidden";
    await assert.rejects(blind.update(bob, open.id, patch()), withCode(code));
  }
});

test("update: two patches at once of different properties both survive", async () => {
  const { images } = new Fixture().node();
  const { id: imageId } = await images.create(alice, {});
  const set = (name: string) => images.update(alice, imageId, patch({ op: "add", path: [name], value: "x" }));
  await Promise.all([set("one"), set("two"), set("three")]);
  assert.deepEqual(Object.keys((await images.show(alice, imageId)).properties).sort(), ["one", "three", "two"]);
});

test("update: formats stay what they were where an upload begins under the change", async () => {
  const fixture = new Fixture();
  const policy: Policy = {
    allows(rule) {
      if (rule === "modify_image") fixture.database.write(imageId, { status: "saving" });
      return true;
    },
  };
  const { images } = fixture.node({ policy });
  const { id: imageId } = await images.create(alice, formats);
  const clear = patch({ op: "replace", path: ["disk_format"], value: null });
  await assert.rejects(images.update(alice, imageId, clear), withCode("images.forbidden"));
  assert.equal((await images.show(alice, imageId)).diskFormat, "raw");
});

test("update: visibility follows the policy of the new value", async () => {
  const { images } = new Fixture().node();
  const { id: imageId } = await images.create(alice, {});
  const to = (visibility: string) => patch({ op: "replace", path: ["visibility"], value: visibility });
  await assert.rejects(images.update(alice, imageId, to("public")), withCode("images.forbidden"));
  assert.equal((await images.update(alice, imageId, to("community"))).visibility, "community");
  assert.equal((await images.update(admin, imageId, to("public"))).visibility, "public");
  assert.equal((await images.update(alice, imageId, to("private"))).visibility, "private");
});

test("remove: the row goes, then the data; protected images stay; twice is not found", async () => {
  const fixture = new Fixture();
  const services = fixture.node();
  const { images } = services;
  const { id: imageId } = await images.create(alice, { ...formats, protected: true });
  await send(services, alice, imageId, Buffer.from("data"));
  await assert.rejects(images.remove(admin, imageId), withCode("images.forbidden"));
  await images.update(alice, imageId, patch({ op: "replace", path: ["protected"], value: false }));
  await images.remove(alice, imageId);
  assert.deepEqual([fixture.store.keys, fixture.database.leases.size], [[], 0]);
  await assert.rejects(images.remove(alice, imageId), withCode("images.not_found"));
  await assert.rejects(images.show(admin, imageId), withCode("images.not_found"));
  await assert.rejects(images.create(alice, { id: imageId }), withCode("images.duplicate"));
});

test("remove: an owner's deactivated image leaves no data behind", async () => {
  const fixture = new Fixture();
  const services = fixture.node();
  const { id: imageId } = await services.images.create(alice, formats);
  await send(services, alice, imageId, Buffer.from("data"));
  await services.images.deactivate(alice, imageId);
  await services.images.remove(alice, imageId);
  assert.deepEqual(fixture.store.keys, []);
});

test("deactivate: active and back, repeating is harmless, every other status refuses", async () => {
  const fixture = new Fixture();
  const services = fixture.node({ settings: { showLocations: true } });
  const { images } = services;
  const { id: imageId } = await images.create(alice, formats);
  await assert.rejects(images.deactivate(alice, imageId), withCode("images.forbidden"));
  await assert.rejects(images.reactivate(alice, imageId), withCode("images.forbidden"));
  await send(services, alice, imageId, Buffer.from("data"));
  await images.reactivate(alice, imageId);
  assert.equal((await images.show(alice, imageId)).locations.length, 1);
  for (const _ of [1, 2]) await images.deactivate(alice, imageId);
  assert.equal((await images.show(alice, imageId)).status, "deactivated");
  assert.deepEqual((await images.show(alice, imageId)).locations, [], "where the data lies is an admin's business now");
  assert.equal((await images.show(admin, imageId)).locations.length, 1);
  await assert.rejects(read(services, alice, imageId), withCode("images.forbidden"));
  assert.equal((await read(services, admin, imageId)).toString(), "data");
  await images.reactivate(alice, imageId);
  assert.equal((await read(services, alice, imageId)).toString(), "data");
});

test("tags: adding is idempotent and within the quota, removing an absent one is not found", async () => {
  const { images } = new Fixture().node();
  const { id: imageId } = await images.create(alice, { tags: ["1", "2", "3", "4"] });
  await images.addTag(alice, imageId, "5");
  await images.addTag(alice, imageId, "5");
  await assert.rejects(images.addTag(alice, imageId, "6"), withCode("images.over_limit"));
  await images.removeTag(alice, imageId, "1");
  await assert.rejects(images.removeTag(alice, imageId, "1"), withCode("images.not_found"));
  await assert.rejects(images.addTag(alice, imageId, "x".repeat(256)), withCode("images.invalid"));
  assert.deepEqual((await images.show(alice, imageId)).tags, ["2", "3", "4", "5"]);
});
