// The schemas that the API's description refers to: those that /v2/schemas publishes, and those of bodies that no path publishes a schema of.
import { metadefSchemas, tagsBodySchema } from "../../metadefs/schemas.ts";
import type { RouteChoice } from "../route.ts";
import { createSchemas } from "../schemas.ts";
import { listOf, object, oneOf, ref, type Schema, text, whole } from "./operation.ts";

/** By name. */
export function componentSchemas(
  choice: Pick<RouteChoice, "capabilities" | "images">,
): Readonly<Record<string, Schema>> {
  const images = createSchemas(choice.capabilities, choice.images);
  const published = Object.entries(images).map(
    ([name, document]) => [name, publishedAs(JSON.parse(document))] as const,
  );
  const metadefs = Object.entries(metadefSchemas).map(
    ([name, schema]) => [`metadef_${name}`, publishedAs(schema)] as const,
  );
  const shared = Object.assign(
    {},
    ...Object.values<{ definitions?: object }>(metadefSchemas).map((one) => one.definitions ?? {}),
  );
  const definitions = Object.entries(shared).map(
    ([name, schema]) => [definitionName(name), moved(schema) as Schema] as const,
  );
  return {
    ...Object.fromEntries([...published, ...metadefs, ...definitions]),
    metadef_tags_body: publishedAs(tagsBodySchema),
    ...unpublished,
  };
}

/** Without what describes it to clients of the older kind; what it describes always is an object. */
function publishedAs({ name: _name, links: _links, definitions: _definitions, ...schema }: Schema): Schema {
  return { type: "object", ...(moved(schema) as Schema) };
}

const definitionName = (name: string) => `metadef_definition_${name}`;

/** References to definitions in the schema itself lead to components instead. */
function moved(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(moved);
  if (typeof value !== "object" || value === null) return value;
  if ("is_base" in value && "pattern" in value) {
    // A custom property that was set to null is shown as an empty text.
    const { pattern, ...others } = value;
    return { ...others, pattern: `^$|${pattern}` };
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) =>
      key === "$ref" && typeof inner === "string"
        ? [key, ref(definitionName(inner.replace("#/definitions/", ""))).$ref]
        : [key, moved(inner)],
    ),
  );
}

const pointer: Schema = { type: "string", description: "JSON pointer to a member of the image." };
const operations = ["add", "replace", "remove"];
const flagText = oneOf("true");
const nullableText: Schema = { type: ["string", "null"] };
const nullableObject: Schema = { type: ["object", "null"] };

const storeMembers = {
  id: text,
  description: text,
  default: flagText,
  "read-only": flagText,
};
const usage = object({ usage: { type: "integer" }, limit: { type: "integer" } }, "usage", "limit");

const unpublished: Readonly<Record<string, Schema>> = {
  problem: {
    ...object({ message: text, code: text, title: text }, "message", "code", "title"),
    description: "Why a call was refused. Clients go by the status.",
  },
  patch: listOf({
    ...object({ op: oneOf(...operations), path: pointer, value: {} }, "op", "path"),
    description: "One change, in the form of version 2.1.",
  }),
  older_patch: listOf({
    ...object({ add: pointer, replace: pointer, remove: pointer, value: {} }),
    description: "One change, in the form of version 2.0: the operation's name is the key of the path.",
  }),
  member_body: object(
    { member: { type: "string", minLength: 1, description: "Project to share the image with." } },
    "member",
  ),
  member_status_body: object({ status: oneOf("pending", "accepted", "rejected") }, "status"),
  import_body: object(
    {
      method: object(
        {
          name: oneOf("glance-direct", "web-download", "copy-image", "glance-download"),
          uri: { type: "string", description: "Where web-download fetches the data." },
          glance_region: { type: "string", description: "Where glance-download finds the image." },
          glance_image_id: { type: "string", description: "The image's id there." },
          glance_service_interface: oneOf("public", "internal", "admin"),
        },
        "name",
      ),
      stores: { type: ["array", "null"], items: text, description: "Stores to import into." },
      all_stores: { type: "boolean" },
      all_stores_must_succeed: { type: "boolean" },
    },
    "method",
  ),
  task_body: object(
    {
      type: oneOf("import"),
      input: object(
        { import_from: text, import_from_format: text, image_properties: { type: "object" } },
        "import_from",
      ),
    },
    "type",
    "input",
  ),
  location_body: {
    ...object(
      {
        url: { type: "string", minLength: 1 },
        validation_data: {
          ...object(
            { os_hash_algo: oneOf("sha1", "sha256", "sha512", "md5"), os_hash_value: text },
            "os_hash_algo",
            "os_hash_value",
          ),
          additionalProperties: false,
        },
      },
      "url",
    ),
    additionalProperties: false,
  },
  image_locations: listOf(object({ url: text, metadata: { type: "object" } }, "url", "metadata")),
  image_tasks: object(
    {
      tasks: listOf(
        object({
          id: text,
          type: text,
          status: text,
          owner: nullableText,
          expires_at: nullableText,
          created_at: text,
          updated_at: text,
          deleted_at: { type: "null" },
          deleted: { type: "boolean" },
          image_id: nullableText,
          request_id: nullableText,
          user_id: nullableText,
          input: nullableObject,
          result: nullableObject,
          message: nullableText,
        }),
      ),
    },
    "tasks",
  ),
  import_info: object(
    {
      "import-methods": object({ description: text, type: text, value: listOf(text) }, "description", "type", "value"),
    },
    "import-methods",
  ),
  stores: object({ stores: listOf({ ...object(storeMembers, "id"), additionalProperties: false }) }, "stores"),
  stores_detail: object(
    {
      stores: listOf({
        ...object(
          { ...storeMembers, type: text, weight: { type: "integer" }, properties: { type: "object" } },
          "id",
          "type",
        ),
        additionalProperties: false,
      }),
    },
    "stores",
  ),
  usage: object({ usage: { type: "object", additionalProperties: usage } }, "usage"),
  cached_image: object(
    {
      id: whole,
      checksum: nullableText,
      image_id: text,
      hits: whole,
      last_accessed: { type: "number" },
      last_modified: { type: "number" },
      size: whole,
    },
    "image_id",
    "hits",
    "last_accessed",
    "last_modified",
    "size",
  ),
  cached_images: object({ cached_images: listOf(ref("cached_image")) }, "cached_images"),
  queued_images: object({ queued_images: listOf(text) }, "queued_images"),
  cache: object(
    { cached_images: listOf(ref("cached_image")), queued_images: listOf(text) },
    "cached_images",
    "queued_images",
  ),
  cleared: object({ num_deleted: whole }, "num_deleted"),
  resource_type_list: object(
    { resource_types: listOf(object({ name: text, created_at: text, updated_at: text }, "name")) },
    "resource_types",
  ),
  schema: object({ name: text, properties: { type: "object" } }, "name", "properties"),
  versions: object(
    {
      versions: listOf(
        object(
          { id: text, status: text, links: listOf(object({ rel: text, href: text }, "rel", "href")) },
          "id",
          "status",
          "links",
        ),
      ),
    },
    "versions",
  ),
  health: object({ detailed: { type: "boolean" }, reasons: listOf(text) }, "detailed", "reasons"),
};
