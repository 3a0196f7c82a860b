// JSON written by hand is the JSON the library would write.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Image } from "../images/image.ts";
import { type ReleaseId, releaseOf } from "../releases/catalogue.ts";
import { imageJson, pageJson } from "./image-view.ts";
import { newImage } from "./testing/sample-image.ts";

const { capabilities: ocata } = releaseOf("ocata");
const plain = { multiStore: false, showDirectUrl: false, showLocations: false, ...ocata };
const open = { multiStore: false, showDirectUrl: true, showLocations: true, ...ocata };

test("view: an image has all attributes, null where unset, and its links", () => {
  const image = newImage({
    id: "i1",
    name: 'a "b"',
    tags: ["x"],
    sizeBytes: 2 ** 40,
    properties: { k: "v", old: null },
  });
  assert.deepEqual(JSON.parse(imageJson(image, plain)), {
    id: "i1",
    name: 'a "b"',
    status: "queued",
    visibility: "private",
    protected: false,
    owner: null,
    container_format: null,
    disk_format: null,
    min_disk: 0,
    min_ram: 0,
    size: 2 ** 40,
    virtual_size: null,
    checksum: null,
    created_at: "2026-01-31T12:00:00Z",
    updated_at: "2026-01-31T12:00:00Z",
    tags: ["x"],
    self: "/v2/images/i1",
    file: "/v2/images/i1/file",
    schema: "/v2/schemas/image",
    k: "v",
    old: "",
  });
});

test("view: locations and the direct URL appear only where the operator shows them", () => {
  const image = newImage({ locations: [{ url: "file:///x/i1", metadata: { store: "s" }, status: "active" }] });
  const shown = JSON.parse(imageJson(image, open));
  assert.equal(shown.direct_url, "file:///x/i1");
  assert.deepEqual(shown.locations, [{ url: "file:///x/i1", metadata: { store: "s" } }]);
  const hidden = JSON.parse(imageJson(image, plain));
  assert(!("direct_url" in hidden) && !("locations" in hidden));
  const empty = JSON.parse(imageJson(newImage({}), open));
  assert(!("direct_url" in empty));
  assert.deepEqual(empty.locations, []);
});

test("view: stores are named where there are several, by whichever key a release of the fleet wrote", () => {
  const at = (metadata: Record<string, unknown>) => ({ url: "file:///x/i1", metadata, status: "active" });
  const image = newImage({
    locations: [at({ store: "a" }), at({}), at({ backend: "b", store: 5 }), at({ backend: "c" })],
  });
  const several = { ...plain, multiStore: true };
  assert.equal(JSON.parse(imageJson(image, several)).stores, "a,c");
  assert(!("stores" in JSON.parse(imageJson(image, plain))));
  assert(!("stores" in JSON.parse(imageJson(newImage({ locations: [at({})] }), several))));
});

test("view: what a later release brought appears there, and hides an older release's property of that name", () => {
  const properties = {
    os_hidden: "yes",
    os_hash_algo: "crc",
    os_glance_stage_host: "h",
    os_glance_hash_op_host: "h",
    k: "v",
  };
  const image = newImage({ hidden: true, hashAlgorithm: "sha512", hashValue: "ab", properties });
  const shown = (release: ReleaseId) => {
    const view = JSON.parse(imageJson(image, { ...plain, ...releaseOf(release).capabilities }));
    return [
      view.os_hidden,
      view.os_hash_algo,
      view.os_hash_value,
      view.os_glance_stage_host,
      view.os_glance_hash_op_host,
    ];
  };
  for (const release of ["newton", "queens"] as const)
    assert.deepEqual(shown(release), ["yes", "crc", undefined, "h", "h"], release);
  for (const release of ["rocky", "victoria"] as const)
    assert.deepEqual(shown(release), [true, "sha512", "ab", "h", "h"], release);
  assert.deepEqual(shown("wallaby"), [true, "sha512", "ab", undefined, "h"]);
  for (const release of ["2024.2", "2026.1"] as const)
    assert.deepEqual(shown(release), [true, "sha512", "ab", undefined, undefined], release);
});

test("view: whatever names and texts an image has, each is there once and unchanged", () => {
  const text = fc.string({ unit: "binary" });
  const properties = fc.dictionary(fc.oneof(text, fc.constantFrom("name", "id", "self", "__proto__")), text);
  fc.assert(
    fc.property(text, text, fc.array(text), properties, (name, id, tags, custom) => {
      const image: Image = newImage({ id, name, tags, properties: custom });
      const json = imageJson(image, plain);
      const shown: Record<string, unknown> = JSON.parse(json);
      assert.equal(shown.name, name);
      assert.equal(shown.id, id);
      assert.equal(shown.file, `/v2/images/${id}/file`);
      assert.deepEqual(shown.tags, tags);
      const base = JSON.parse(imageJson(newImage({}), plain));
      for (const [key, value] of Object.entries(custom))
        if (!Object.hasOwn(base, key)) assert.equal(Object.getOwnPropertyDescriptor(shown, key)?.value, value);
      // As long as what the library makes of it (which sorts names that are numbers): no member twice, nothing left unescaped.
      assert.equal(json.length, JSON.stringify(shown).length);
    }),
  );
});

test("view: a page has its images and links, next only where there is one", () => {
  const page = { images: [newImage({ id: "a" }), newImage({ id: "b" })], limit: 2, nextMarker: "b" };
  const shown = JSON.parse(pageJson(page, { first: "/v2/images?limit=2", next: "/v2/images?limit=2&marker=b" }, plain));
  assert.deepEqual(
    shown.images.map((image: { id: string }) => image.id),
    ["a", "b"],
  );
  assert.deepEqual([shown.first, shown.next], ["/v2/images?limit=2", "/v2/images?limit=2&marker=b"]);
  assert.equal(shown.schema, "/v2/schemas/images");
  const last = JSON.parse(
    pageJson({ images: [], limit: 25, nextMarker: null }, { first: "/v2/images", next: null }, plain),
  );
  assert.deepEqual(last, { images: [], first: "/v2/images", schema: "/v2/schemas/images" });
});
