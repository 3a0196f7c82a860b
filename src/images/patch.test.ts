import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isServiceError } from "../core/errors.ts";
import { type ReleaseId, releaseOf } from "../releases/catalogue.ts";
import { MemoryStore } from "../stores/memory/memory-store.ts";
import { createStoreRegistry } from "../stores/registry.ts";
import { forbidden } from "./access.ts";
import { addableLocation, otherMetadata } from "./added-locations.ts";
import type { Image } from "./image.ts";
import { applyPatch, checkPatch, type PatchOutcome } from "./patch.ts";
import type { PatchOperation } from "./services.ts";
import type { ImageSettings } from "./settings.ts";
import { settingsOf, withCode } from "./testing/fixture.ts";

const image: Image = {
  id: "11111111-2222-4333-8444-555555555555",
  name: "old",
  status: "queued",
  visibility: "shared",
  protected: false,
  hidden: false,
  owner: "alice",
  diskFormat: null,
  containerFormat: null,
  minDiskGb: 0,
  minRamMb: 0,
  sizeBytes: null,
  virtualSizeBytes: null,
  checksum: null,
  hashAlgorithm: null,
  hashValue: null,
  createdAt: "2026-11-23T05:54:06Z",
  updatedAt: "2026-11-23T05:54:06Z",
  tags: ["one"],
  properties: { os_distro: "debian", architecture: "x86_64" },
  locations: [],
};
const location = { url: "file:///data/1", metadata: {}, status: "active" };
const stored: Image = { ...image, status: "active", diskFormat: "raw", containerFormat: "bare", locations: [location] };

const stores = createStoreRegistry({
  stores: [{ id: "memory", type: "memory", description: null, weight: 0, store: new MemoryStore() }],
  defaultId: "memory",
  key: null,
  weighed: false,
});

type Options = {
  image?: Image;
  release?: ReleaseId;
  isAdmin?: boolean;
  addRefusesExisting?: boolean;
  settings?: Partial<ImageSettings>;
  publicize?: boolean;
};

function apply(operations: readonly PatchOperation[], options: Options = {}): PatchOutcome {
  const release = options.release ?? "ocata";
  const rules = { capabilities: releaseOf(release).capabilities, settings: settingsOf(release, options.settings) };
  return applyPatch(options.image ?? image, checkPatch(operations, rules), {
    ...rules,
    isAdmin: options.isAdmin ?? false,
    addRefusesExisting: options.addRefusesExisting ?? false,
    requireVisibility(visibility) {
      if (visibility === "public" && options.publicize !== true) throw forbidden("Not you.");
    },
    requireLocationPolicy() {},
    addableLocation: (given) => addableLocation({ stores }, image.id, given),
    otherMetadata: (one, metadata) => otherMetadata({ stores }, one, metadata),
    isPropertyAllowed: () => true,
  });
}

const add = (name: string, value: unknown): PatchOperation => ({ op: "add", path: [name], value });
const replace = (name: string, value: unknown): PatchOperation => ({ op: "replace", path: [name], value });
const remove = (name: string): PatchOperation => ({ op: "remove", path: [name] });

test("patch: base attributes and properties are set in order", () => {
  const changes = apply([
    replace("name", "first"),
    add("name", "second"),
    replace("min_disk", 4),
    replace("tags", ["one", "two", "two"]),
    add("os_version", "12"),
    replace("os_version", "13"),
    remove("architecture"),
    replace("visibility", "community"),
  ]);
  assert.deepEqual(changes, {
    set: { name: "second", minDiskGb: 4, visibility: "community" },
    tags: ["one", "two"],
    properties: { set: { os_version: "13" }, remove: ["architecture"] },
  });
});

test("patch: what ends where it began writes no row of tags or properties", () => {
  const changes = apply([add("new", "x"), remove("new"), replace("tags", ["one", "one"]), add("os_distro", "debian")]);
  assert.deepEqual(changes, { set: {} });
});

test("patch: an absent property is a conflict for replace and remove, an existing one for add in the old media type", () => {
  assert.throws(() => apply([replace("missing", "x")]), withCode("images.property_conflict"));
  assert.throws(() => apply([remove("missing")]), withCode("images.property_conflict"));
  assert.throws(() => apply([remove("os_distro"), remove("os_distro")]), withCode("images.property_conflict"));
  assert.throws(
    () => apply([add("os_distro", "x")], { addRefusesExisting: true }),
    withCode("images.property_conflict"),
  );
  assert.throws(() => apply([add("name", "x")], { addRefusesExisting: true }), withCode("images.property_conflict"));
  assert.deepEqual(apply([add("new", "x")], { addRefusesExisting: true }).properties?.set, { new: "x" });
});

test("patch: what the service sets itself is forbidden, whatever the operation", () => {
  for (const name of [
    ..."id self file schema direct_url status created_at updated_at checksum size virtual_size".split(" "),
    ..."location deleted deleted_at locations".split(" "),
  ])
    for (const operation of [add(name, "x"), replace(name, "x"), remove(name)])
      assert.throws(() => apply([operation], { isAdmin: true }), withCode("images.forbidden"), name);
});

test("patch: base attributes are never removed, the owner is an admin's to change", () => {
  for (const name of ["name", "tags", "visibility", "min_ram", "owner", "protected"])
    assert.throws(() => apply([remove(name)], { isAdmin: true }), withCode("images.forbidden"), name);
  assert.throws(() => apply([replace("owner", "bob")]), withCode("images.forbidden"));
  assert.equal(apply([replace("owner", "alice")]).set.owner, "alice");
  assert.equal(apply([replace("owner", "bob")], { isAdmin: true }).set.owner, "bob");
});

test("patch: formats are frozen once data exists, and the write itself holds them to queued", () => {
  assert.deepEqual(apply([replace("disk_format", "qcow2")]), { set: { diskFormat: "qcow2" }, whileStatus: ["queued"] });
  for (const status of ["saving", "active", "deactivated"] as const)
    for (const name of ["disk_format", "container_format"])
      assert.throws(() => apply([replace(name, null)], { image: { ...stored, status } }), withCode("images.forbidden"));
});

test("patch: values are those of the release", () => {
  assert.throws(() => apply([replace("visibility", "community")], { release: "newton" }), withCode("images.invalid"));
  assert.throws(() => apply([replace("visibility", "shared")], { release: "newton" }), withCode("images.invalid"));
  assert.throws(() => apply([replace("disk_format", "ploop")], { release: "newton" }), withCode("images.invalid"));
  assert.equal(apply([replace("disk_format", "ploop")]).set.diskFormat, "ploop");
  assert.throws(() => apply([replace("visibility", "public")]), withCode("images.forbidden"));
  assert.equal(apply([replace("visibility", "public")], { publicize: true }).set.visibility, "public");
});

test("patch: wrong values are refused and name their attribute", () => {
  const wrong: [string, unknown][] = [
    ["name", 1],
    ["name", "x".repeat(256)],
    ["name", "\u{1F600}"],
    ["name", "half \ud83d pair"],
    ["min_disk", -1],
    ["min_disk", 2_147_483_648],
    ["min_ram", 1.5],
    ["min_ram", null],
    ["min_ram", true],
    ["protected", "true"],
    ["tags", "one"],
    ["tags", [1]],
    ["tags", ["x".repeat(256)]],
    ["tags", null],
    ["visibility", null],
    ["container_format", "tar"],
    ["os_version", 12],
    ["os_version", null],
    ["os_version", "\u{1F600}"],
    ["os_version", "x".repeat(65_536)],
    ["x".repeat(256), "x"],
    ["kernel_id", "no uuid"],
    ["owner", "x".repeat(256)],
  ];
  for (const [name, value] of wrong)
    assert.throws(
      () => apply([add(name, value)], { isAdmin: true }),
      (error) => isServiceError(error, "images.invalid") && error.message.includes(name.slice(0, 80)),
      `${name.slice(0, 20)}=${String(value).slice(0, 20)}`,
    );
  assert.throws(() => apply([{ op: "add", path: ["name"] }]), withCode("images.bad_patch"));
  assert.deepEqual(apply([add("kernel_id", null)]).properties?.set, { kernel_id: null });
});

test("patch: paths lead to attributes, not into them", () => {
  for (const path of [[], [""], ["tags", "-"], ["name", "x"], ["custom", "x"]])
    assert.throws(() => apply([{ op: "add", path, value: "x" }]), withCode("images.bad_patch"), path.join("/"));
});

test("patch: quotas hold for what grows, and for nothing else", () => {
  const full = { ...image, properties: { a: "1", b: "2", c: "3" }, tags: ["1", "2", "3"] };
  const options = { image: full, settings: { propertiesMax: 2, tagsMax: 2 } };
  assert.throws(() => apply([add("d", "4")], options), withCode("images.over_limit"));
  assert.throws(() => apply([replace("tags", ["1", "2", "3"])], options), withCode("images.over_limit"));
  assert.deepEqual(apply([replace("a", "x"), remove("b")], options).properties, { set: { a: "x" }, remove: ["b"] });
  assert.deepEqual(apply([replace("tags", ["1", "2", "2"])], options).tags, ["1", "2"]);
  assert(apply([add("d", "4")], { image: full, settings: { propertiesMax: -1 } }));
});

test("patch: names of JavaScript's own are ordinary properties", () => {
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    const changes = apply([add(name, "x")]);
    assert.deepEqual(Object.entries(changes.properties?.set ?? {}), [[name, "x"]]);
    assert.throws(() => apply([remove(name)]), withCode("images.property_conflict"), name);
  }
});

test("patch: locations keep their data: other metadata and fewer of them, never ones of the service's own, never none", () => {
  const other = { ...location, url: "http://example.org/1" };
  const on = { image: { ...stored, locations: [location, other] }, settings: { showLocations: true } };
  const given = (url: string) => ({ url, metadata: { zone: "a" } });
  assert.deepEqual(apply([replace("locations", [given(other.url), given(location.url)])], on).locations, {
    add: [],
    note: [
      { ...other, metadata: { zone: "a" } },
      { ...location, metadata: { zone: "a" } },
    ],
    remove: [],
  });
  assert.deepEqual(apply([{ op: "remove", path: ["locations", "1"] }], on).locations, {
    add: [],
    note: [],
    remove: [other.url],
  });
  const end = apply([{ op: "remove", path: ["locations", "-"] }], on).locations?.remove;
  assert.deepEqual(end, [other.url], "the end of the list");
  const refused: [PatchOperation, Parameters<typeof withCode>[0]][] = [
    [replace("locations", []), "images.forbidden"],
    [replace("locations", [given(location.url)]), "images.invalid"],
    [replace("locations", [given("file:///etc/passwd"), given(location.url)]), "images.invalid"],
    [replace("locations", [given(location.url), given(location.url)]), "images.invalid"],
    [replace("locations", [{ url: location.url }, given(other.url)]), "images.invalid"],
    [replace("locations", "x"), "images.invalid"],
    [{ op: "add", path: ["locations", "-"], value: given("file:///etc/passwd") }, "images.invalid"],
    [{ op: "add", path: ["locations"], value: given("file:///etc/passwd") }, "images.bad_patch"],
    [{ op: "remove", path: ["locations", "2"] }, "images.invalid"],
    [{ op: "remove", path: ["locations", "x"] }, "images.bad_patch"],
    [{ op: "add", path: ["locations", "x"], value: given("file:///etc/passwd") }, "images.bad_patch"],
    [{ op: "remove", path: ["locations"] }, "images.bad_patch"],
  ];
  for (const [operation, code] of refused)
    assert.throws(() => apply([operation], on), withCode(code), operation.path.join());
  const last: PatchOperation = { op: "remove", path: ["locations", "0"] };
  assert.throws(() => apply([last, last], on), withCode("images.forbidden"));
  const alone = { ...on, image: { ...stored, locations: [location] } };
  for (const place of ["x", "7", "-"])
    assert.throws(() => apply([{ op: "remove", path: ["locations", place] }], alone), withCode("images.forbidden"));
  for (const status of ["saving", "deactivated"] as const)
    for (const place of ["0", "x"]) {
      const change: PatchOperation = { op: "remove", path: ["locations", place] };
      assert.throws(() => apply([change], { ...on, image: { ...stored, status } }), withCode("images.status_conflict"));
    }
});

test("patch: random operations end like a plain map, or change nothing and say why", () => {
  const names = fc.constantFrom("a", "b", "c", "__proto__", "os_distro");
  const operation = fc.record({
    op: fc.constantFrom("add", "replace", "remove"),
    path: fc.tuple(names),
    value: fc.constantFrom("1", "2"),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 12 }), fc.boolean(), (operations, addRefusesExisting) => {
      const model = new Map(Object.entries(image.properties));
      let refused = false;
      for (const { op, path, value } of operations) {
        const exists = model.has(path[0]);
        refused ||= op === "add" ? exists && addRefusesExisting : !exists;
        if (op === "remove") model.delete(path[0]);
        else model.set(path[0], value);
      }
      const frozen = structuredClone(image);
      if (refused || model.size > 5) {
        assert.throws(
          () => apply(operations, { addRefusesExisting }),
          (error) => isServiceError(error),
        );
      } else {
        const { properties } = apply(operations, { addRefusesExisting });
        const outcome = new Map([...Object.entries(image.properties), ...Object.entries(properties?.set ?? {})]);
        for (const name of properties?.remove ?? []) outcome.delete(name);
        assert.deepEqual(new Map([...outcome].sort()), new Map([...model].sort()));
      }
      assert.deepEqual(image, frozen, "the image itself is never touched");
    }),
  );
});
