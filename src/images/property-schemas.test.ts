// The operator's schema-image.json: what it makes of new images and changes, what clients are told of it, and which files are refused.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type ReleaseId, releaseOf } from "../releases/catalogue.ts";
import { checkPropertySchemas, readPropertySchemas } from "./property-schemas.ts";
import { alice, Fixture, patch, withCode } from "./testing/fixture.ts";

function schemasOf(text: string, release: ReleaseId = "2026.1") {
  const folder = mkdtempSync(join(tmpdir(), "perennial-schema-image-"));
  try {
    writeFileSync(join(folder, "schema-image.json"), text);
    const files = [join(folder, "glance-api.conf")];
    const { capabilities } = releaseOf(release);
    checkPropertySchemas(files, capabilities);
    return readPropertySchemas(files, capabilities) ?? assert.fail();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const typed = {
  os_family: { type: "string", enum: ["linux", "bsd"], description: "Kind of system." },
  cores: { type: ["integer", "null"], minimum: 1 },
  signed: { type: "boolean" },
  serial: { type: "string", pattern: "^[A-Z]{2}-\\d+$" },
  notes: { type: "array" },
  short: { type: "string", maxLength: 3 },
};

test("schema-image.json: values of known properties fit their schemas, in new images and in changes; others are strings", async () => {
  const propertySchemas = schemasOf(JSON.stringify(typed));
  const { images } = new Fixture().node({ settings: { propertySchemas } });
  const { id } = await images.create(alice, { os_family: "bsd", cores: 4, signed: true, kernel_id: "any text" });
  const shown = async () => (await images.show(alice, id)).properties;
  assert.deepEqual(await shown(), { os_family: "bsd", cores: "4", signed: "true", kernel_id: "any text" });
  const set = (name: string, value: unknown) => images.update(alice, id, patch({ op: "add", path: [name], value }));
  for (const [name, value] of [
    ["os_family", "windows"],
    ["os_family", 1],
    ["cores", 0],
    ["cores", "4"],
    ["signed", "yes"],
    ["serial", "a-1"],
    ["notes", ["a list"]],
    ["short", "long"],
    ["unknown", 5],
    ["unknown", null],
  ] as const) {
    await assert.rejects(images.create(alice, { [name]: value }), withCode("images.invalid"), name);
    await assert.rejects(set(name, value), withCode("images.invalid"), name);
  }
  await set("cores", null);
  await set("serial", "AB-12");
  const expected = { os_family: "bsd", cores: null, signed: "true", kernel_id: "any text", serial: "AB-12" };
  assert.deepEqual(await shown(), expected);
});

test("schema-image.json: from 2026.1 on it says what a new image needs; changes are free of that", async () => {
  const text = JSON.stringify({ properties: typed, required: ["name", "os_family"] });
  const { images } = new Fixture().node({ settings: { propertySchemas: schemasOf(text) } });
  for (const attributes of [{}, { name: "one" }, { os_family: "bsd" }])
    await assert.rejects(images.create(alice, attributes), withCode("images.invalid"));
  const { id } = await images.create(alice, { name: "one", os_family: "bsd" });
  await images.update(alice, id, patch({ op: "remove", path: ["os_family"] }));
  await images.update(alice, id, patch({ op: "add", path: ["other"], value: "text" }));
  assert.deepEqual((await images.show(alice, id)).properties, { other: "text" });
  assert.throws(() => schemasOf(text, "2025.2"), /from release 2026\.1 on/);
});

test("schema-image.json: a file that cannot be meant is refused with its name", () => {
  for (const [text, reason] of [
    ["{", /JSON/],
    ["[]", /no object/],
    ['{"size": {"type": "string"}}', /size is an attribute/],
    ['{"a": "string"}', /says of a is no object/],
    ['{"a": {"type": "text"}}', /no JSON Schema/],
    ['{"a": {"pattern": "("}}', /no JSON Schema/],
    ['{"a": {"minLength": -1}}', /says of a is no JSON Schema: .*minLength/],
    ['{"a": {"title": 5}}', /says of a is no JSON Schema: .*title/],
    ['{"properties": [], "required": ["a"]}', /"properties" is no object/],
    ['{"properties": {}, "required": [1]}', /no list of names/],
  ] as const) {
    assert.throws(() => schemasOf(text), withCode("config.invalid"), text);
    assert.throws(() => schemasOf(text), reason, text);
    assert.throws(() => schemasOf(text), /schema-image\.json/, text);
  }
});
