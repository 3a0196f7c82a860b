// PATCH documents: both media types, pointers, and what is refused before an image is even looked for.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isServiceError } from "../core/errors.ts";
import { parsePointer } from "./json-pointer.ts";
import { type PatchForm, parsePatch, patchFormOf } from "./patch-document.ts";

const v21 = "application/openstack-images-v2.1-json-patch";
const v20 = "application/openstack-images-v2.0-json-patch";
const refused = (form: PatchForm, document: unknown) =>
  assert.throws(
    () => parsePatch(form, document),
    (error) => isServiceError(error, "images.bad_patch"),
    JSON.stringify(document),
  );

test("patch: two media types, parameters tolerated, others refused with Accept-Patch", () => {
  assert.equal(patchFormOf(v21), "v21");
  assert.equal(patchFormOf(v20), "v20");
  assert.equal(patchFormOf(`${v21}; charset=utf-8`), "v21");
  for (const type of [undefined, "", "application/json", "application/json-patch+json", v21.toUpperCase(), `${v21},x`])
    assert.throws(
      () => patchFormOf(type),
      (error) => isServiceError(error, "api.unsupported_media_type") && error.facts.acceptPatch === `${v20}, ${v21}`,
      type,
    );
});

test("patch: the long form names op and path", () => {
  const document = [
    { op: "add", path: "/name", value: "x" },
    { op: "replace", path: "/a~1b", value: null, more: 1 },
    { op: "remove", path: "/k", value: "ignored" },
  ];
  assert.deepEqual(parsePatch("v21", document), {
    operations: [
      { op: "add", path: ["name"], value: "x" },
      { op: "replace", path: ["a/b"], value: null },
      { op: "remove", path: ["k"] },
    ],
    addRefusesExisting: false,
  });
  assert.deepEqual(parsePatch("v21", []).operations, []);
});

test("patch: the short form has one member that is both", () => {
  assert.deepEqual(parsePatch("v20", [{ add: "/name", value: "x" }, { remove: "/k" }]), {
    operations: [
      { op: "add", path: ["name"], value: "x" },
      { op: "remove", path: ["k"] },
    ],
    addRefusesExisting: true,
  });
  for (const entry of [{ value: "x" }, { add: "/q", replace: "/q", value: "x" }, { op: "add", path: "/q", value: "x" }])
    refused("v20", [entry]);
});

test("patch: what is no list of operations is refused", () => {
  for (const document of [{}, [1], [[]], [null], [{}], ["x"]]) refused("v21", document);
  for (const entry of [
    { op: "add", path: "/z" },
    { op: "add", value: "x" },
    { path: "/z", value: "x" },
    { op: "move", path: "/z", value: "x" },
    { op: "test", path: "/z", value: "x" },
    { op: "ADD", path: "/z", value: "x" },
    { op: 1, path: "/z", value: "x" },
    { op: "add", path: 1, value: "x" },
    { op: "add", path: null, value: "x" },
  ])
    refused("v21", [entry]);
});

test("pointers: escapes are undone once, blanks trimmed", () => {
  assert.deepEqual(parsePointer("/a/b"), ["a", "b"]);
  assert.deepEqual(parsePointer("/a~1b"), ["a/b"]);
  assert.deepEqual(parsePointer("/a~0b"), ["a~b"]);
  assert.deepEqual(parsePointer("/~01"), ["~1"]);
  assert.deepEqual(parsePointer("/ sp ace "), ["sp ace"]);
  assert.deepEqual(parsePointer("/locations/-"), ["locations", "-"]);
  assert.deepEqual(parsePointer("/"), [""]);
  for (const pointer of ["//z", "// z"]) assert.deepEqual(parsePointer(pointer), ["z"], pointer);
  for (const pointer of ["", "z", "//", "// ", "///z", "/ /z", "/z/", "/z//y", "/z/ /y", "//z//y", "/~2", "/a~"])
    assert.throws(
      () => parsePointer(pointer),
      (error) => isServiceError(error, "images.bad_patch"),
      pointer,
    );
});

test("patch: any JSON at all is a patch or refused as a bad one", () => {
  const entry = fc.record(
    { op: fc.constantFrom("add", "remove", "replace", 1), path: fc.string(), value: fc.jsonValue(), add: fc.string() },
    { requiredKeys: [] },
  );
  const document = fc.oneof(fc.jsonValue(), fc.array(entry));
  fc.assert(
    fc.property(fc.constantFrom<PatchForm>("v20", "v21"), document, (form, json) => {
      try {
        parsePatch(form, json);
      } catch (error) {
        assert(isServiceError(error, "images.bad_patch"), String(error));
      }
    }),
  );
});
