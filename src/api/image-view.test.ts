// JSON written by hand is the JSON the library would write.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Image } from "../images/image.ts";
import { imageJson, pageJson } from "./image-view.ts";
import { newImage } from "./testing/sample-image.ts";

const plain = { showDirectUrl: false, showLocations: false };

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
  const shown = JSON.parse(imageJson(image, { showDirectUrl: true, showLocations: true }));
  assert.equal(shown.direct_url, "file:///x/i1");
  assert.deepEqual(shown.locations, [{ url: "file:///x/i1", metadata: { store: "s" } }]);
  const hidden = JSON.parse(imageJson(image, plain));
  assert(!("direct_url" in hidden) && !("locations" in hidden));
  const empty = JSON.parse(imageJson(newImage({}), { showDirectUrl: true, showLocations: true }));
  assert(!("direct_url" in empty));
  assert.deepEqual(empty.locations, []);
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
