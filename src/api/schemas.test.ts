// The schemas clients fetch and the rules of the domain say the same, and every image we show fits the schema we serve.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv } from "ajv";
import fc from "fast-check";
import { isServiceError } from "../core/errors.ts";
import { defaultPolicyOf } from "../identity/policy/default-policy.ts";
import { newImageDraft } from "../images/new-image.ts";
import type { ImageSettings } from "../images/settings.ts";
import { newestRelease, releaseOf, releases } from "../releases/catalogue.ts";
import { imageJson } from "./image-view.ts";
import { createSchemas } from "./schemas.ts";
import { startApi } from "./testing/api-server.ts";
import { newImage } from "./testing/sample-image.ts";

const admin = { userId: null, projectId: null, roles: ["admin"], isAdmin: true, requestId: "req-1" };
const unlimited = {
  membersMax: -1,
  propertiesMax: -1,
  tagsMax: -1,
  locationsMax: -1,
  pageImagesDefault: 25,
  pageImagesMax: 1000,
};
const settings: ImageSettings = {
  ...unlimited,
  secureHash: true,
  delayedDelete: false,
  hashRetries: 0,
  imageBytesMax: 2 ** 40,
  projectBytesMax: null,
  unifiedLimits: false,
  multiStore: false,
  showDirectUrl: false,
  showLocations: false,
  containerFormats: ["bare", "ovf"],
  diskFormats: ["raw", "qcow2"],
  hashAlgorithm: null,
  contentInspection: "none",
  vmdkTypesAllowed: [],
  resumableSeconds: null,
  gptChecksNonfatal: [],
};

test("schemas: each is served, the image's with the formats of this service and null", async () => {
  await using api = await startApi();
  const metadefs = [
    ...["namespace", "namespaces", "object", "objects", "property", "properties", "tag", "tags"],
    ...["resource_type", "resource_types"],
  ].map((name) => `metadefs/${name}`);
  const titles: Readonly<Record<string, string>> = {
    resource_type: "resource_type_association",
    resource_types: "resource_type_associations",
  };
  for (const path of ["image", "images", "member", "members", "task", "tasks", ...metadefs]) {
    const name = path.split("/").at(-1) ?? path;
    const response = await fetch(`${api.url}/v2/schemas/${path}`);
    assert.equal(response.status, 200);
    assert.equal(((await response.json()) as { name: string }).name, titles[name] ?? name);
  }
  assert.equal((await fetch(`${api.url}/v2/schemas/metadefs`)).status, 404);
  const { properties } = JSON.parse(createSchemas(releases[0]?.capabilities ?? assert.fail(), settings).image);
  assert.deepEqual(properties.disk_format.enum, [null, "raw", "qcow2"]);
});

test("schemas: each release describes what it has, and nothing that came later", () => {
  const described = releases.map(({ id, capabilities }) => {
    const { properties } = JSON.parse(createSchemas(capabilities, { ...settings, ...capabilities }).image);
    return { id, properties };
  });
  const since = (
    holds: (properties: Record<string, { enum?: unknown[]; items?: { properties?: object } }>) => boolean,
  ) => {
    const having = described.filter(({ properties }) => holds(properties)).map(({ id }) => id);
    assert.deepEqual(
      having,
      releases.slice(-having.length).map(({ id }) => id),
      "once there, it stays",
    );
    return having[0];
  };
  assert.equal(
    since(({ visibility }) => visibility?.enum?.includes("community") ?? false),
    "ocata",
  );
  assert.equal(
    since(({ disk_format }) => disk_format?.enum?.includes("ploop") ?? false),
    "ocata",
  );
  assert.equal(
    since(({ status }) => status?.enum?.includes("importing") ?? false),
    "pike",
  );
  for (const name of ["os_hidden", "os_hash_algo", "os_hash_value", "stores"])
    assert.equal(
      since((properties) => name in properties),
      "rocky",
      name,
    );
  assert.equal(
    since(({ locations }) => "validation_data" in (locations?.items?.properties ?? {})),
    "stein",
  );
  assert.equal(
    since(({ container_format }) => container_format?.enum?.includes("compressed") ?? false),
    "train",
  );
  assert.equal(
    since((properties) => "cinder_encryption_key_id" in properties),
    "train",
  );
});

for (const { id, capabilities } of releases) {
  const ajv = new Ajv({ strict: false });
  const fits = ajv.compile(JSON.parse(createSchemas(capabilities, settings).image));
  const anyValue = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(...capabilities.visibilities, "raw", "bare", "x".repeat(256), 2 ** 31, 1.5, -1),
    fc.constantFrom(true, null, "sha512", "do_not_delete", "x".repeat(129)),
    fc.uuid(),
  );
  const name = fc.constantFrom("id", "name", "visibility", "protected", "owner", "container_format", "disk_format");
  const other = fc.constantFrom("min_disk", "min_ram", "tags", "kernel_id", "os_distro", "anything");
  const later = fc.constantFrom("os_hidden", "os_hash_algo", "os_hash_value", "cinder_encryption_key_deletion_policy");

  test(`schemas: what ${id} accepts for a new image, its schema accepts`, () => {
    fc.assert(
      fc.property(fc.dictionary(fc.oneof(name, other, later), anyValue, { maxKeys: 3 }), (attributes) => {
        try {
          newImageDraft(admin, attributes, { capabilities, settings, policy: defaultPolicyOf(capabilities.policy) });
        } catch (error) {
          assert(isServiceError(error, "images.invalid", "images.forbidden"), String(error));
          return;
        }
        assert(fits(attributes), `${JSON.stringify(attributes)}: ${ajv.errorsText(fits.errors)}`);
      }),
      { numRuns: 500 },
    );
  });

  test(`schemas: images of ${id} are shown as its schema says`, () => {
    const image = newImage({ visibility: capabilities.visibilityDefault, properties: { k: "v", old: null } });
    const active = newImage({ status: "active", sizeBytes: 5, checksum: "0".repeat(32), diskFormat: "raw" });
    const hashed = newImage({ ...active, hidden: true, hashAlgorithm: "sha512", hashValue: "0".repeat(128) });
    const stored = newImage({ ...active, locations: [{ url: "a:b", metadata: { store: "s" }, status: "active" }] });
    const multiStore = capabilities.locationStoreKey !== null;
    for (const shown of [image, active, hashed, stored])
      for (const showLocations of [true, false])
        assert(
          fits(JSON.parse(imageJson(shown, { multiStore, showDirectUrl: true, showLocations, ...capabilities }))),
          ajv.errorsText(fits.errors),
        );
  });
}

test("schemas: beside nodes of a newer release an older one publishes theirs, which the answers of both fit", async () => {
  let newest = releaseOf("newton");
  await using api = await startApi({ release: "newton", described: async () => newest });
  const published = async (name: string) => (await fetch(`${api.url}/v2/schemas/${name}`)).json() as Promise<Published>;
  assert.deepEqual((await published("image")).properties.visibility?.enum, ["public", "private"]);
  newest = newestRelease;
  const image = await published("image");
  assert.deepEqual((await published("images")).properties.images?.items, image);
  const fits = new Ajv({ strict: false, formats: { uuid: true } }).compile(image);
  for (const { id, capabilities } of releases) {
    const row = newImage({ visibility: capabilities.visibilityDefault, properties: { k: "v", old: null } });
    const shown = JSON.parse(
      imageJson(row, { multiStore: false, showDirectUrl: true, showLocations: true, ...capabilities }),
    );
    assert(fits(shown), `${id}: ${JSON.stringify(fits.errors)}`);
  }
  newest = releaseOf("newton");
  assert.deepEqual((await published("image")).properties.visibility?.enum, ["public", "private"]);
});

test("schemas: an operator's properties are published beside the attributes, with what a new image needs", async () => {
  const document = { type: ["string", "null"], enum: ["linux", null], is_base: false };
  const propertySchemas = { documents: { os_family: document }, required: ["name"], problem: () => null };
  await using api = await startApi({ images: { propertySchemas } });
  const image = (await (await fetch(`${api.url}/v2/schemas/image`)).json()) as Published & { required: unknown };
  assert.deepEqual([image.properties.os_family, image.properties.kernel_id], [document, undefined]);
  assert.deepEqual(image.required, ["name"]);
  const view = { multiStore: false, showDirectUrl: false, showLocations: false, propertySchemas };
  const row = newImage({ properties: { os_family: null, old: null } });
  const shown = JSON.parse(imageJson(row, { ...view, ...newestRelease.capabilities }));
  assert.deepEqual([shown.os_family, shown.old], [null, ""]);
});

type Published = {
  readonly properties: Readonly<Record<string, { readonly enum?: unknown; readonly items?: unknown }>>;
};
