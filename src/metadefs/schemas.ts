// The JSON Schemas of metadata definitions: what clients fetch to build their models, and what bodies are checked against.

type Schema = Readonly<Record<string, unknown>>;

const text = { type: "string" } as const;
const name = { ...text, maxLength: 80 } as const;
const named = (description: string): Schema => ({ ...name, description });
const readOnly = { ...text, readOnly: true } as const;
const stamps = (what: string): Schema => ({
  created_at: { ...readOnly, description: `When the ${what} was made.`, format: "date-time" },
  updated_at: { ...readOnly, description: `When the ${what} was last changed.`, format: "date-time" },
});
const links: Schema = { self: readOnly, schema: readOnly };

// null among the names of types is the reference's; its "type" keeps it from ever being allowed.
const typeName = { ...text, enum: ["array", "boolean", "integer", "number", "object", "string", null] } as const;
const count = { $ref: "#/definitions/positiveInteger" } as const;
const countFrom0 = { $ref: "#/definitions/positiveIntegerDefault0" } as const;
const texts = { $ref: "#/definitions/stringArray" } as const;
const flag = { type: "boolean" } as const;

/** What a property may say of its values. */
export const propertyMembers: Schema = {
  name,
  title: text,
  description: text,
  operators: { type: "array", items: text },
  type: typeName,
  required: texts,
  minimum: { type: "number" },
  maximum: { type: "number" },
  maxLength: count,
  minLength: countFrom0,
  pattern: { ...text, format: "regex" },
  enum: { type: "array" },
  readonly: flag,
  default: {},
  items: { type: "object", properties: { type: typeName, enum: { type: "array" } } },
  maxItems: count,
  minItems: countFrom0,
  uniqueItems: { ...flag, default: false },
  additionalItems: flag,
};

const countDefinitions: Schema = {
  positiveInteger: { type: "integer", minimum: 0 },
  positiveIntegerDefault0: { allOf: [count, { default: 0 }] },
  stringArray: { type: "array", items: text, uniqueItems: true },
};
const definitions: Schema = {
  ...countDefinitions,
  property: {
    type: "object",
    additionalProperties: { type: "object", required: ["title", "type"], properties: propertyMembers },
  },
};
const properties = { $ref: "#/definitions/property" } as const;

const objectMembers: Schema = { name, description: text, required: texts, properties };
const associationMembers: Schema = {
  name: named("Name of the resource type, as Heat has it where it has one."),
  prefix: named("What the name of a property begins with on resources of this type, separator included."),
  properties_target: named("Which properties are meant, where a resource of this type has several kinds of them."),
};

const namespaceMembers: Schema = {
  namespace: named("Name of the namespace, which no other has."),
  display_name: named("Name for people."),
  description: { ...text, description: "What the namespace is for.", maxLength: 500 },
  visibility: { ...text, description: "Who sees the namespace.", enum: ["public", "private"] },
  protected: { ...flag, description: "Whether the namespace is kept from being deleted." },
  owner: { ...text, description: "Project the namespace belongs to.", maxLength: 255 },
  ...stamps("namespace"),
  ...links,
  resource_type_associations: {
    type: "array",
    items: { type: "object", properties: { name: text, prefix: text, properties_target: text } },
  },
  properties,
  objects: { type: "array", items: { type: "object", properties: { ...objectMembers, name: text } } },
  tags: { type: "array", items: { type: "object", properties: { name: text } } },
};

const item = (title: string, members: Schema, required: readonly string[]): Schema => ({
  name: title,
  properties: members,
  additionalProperties: false,
  required,
});
const namespace = item("namespace", namespaceMembers, ["namespace"]);
const object = item("object", { ...objectMembers, ...links, ...stamps("object") }, ["name"]);
const property = item("property", propertyMembers, ["type", "title"]);
const tag = item("tag", { name, ...stamps("tag") }, ["name"]);
const association = item("resource_type_association", { ...associationMembers, ...stamps("association") }, ["name"]);

const collection = (title: string, members: Schema, shared: Schema = {}): Schema => ({
  name: title,
  properties: { [title]: members, first: text, next: text, schema: text },
  links: [
    { rel: "first", href: "{first}" },
    { rel: "next", href: "{next}" },
    { rel: "describedby", href: "{schema}" },
  ],
  ...shared,
});
const list = (title: string, items: Schema, shared: Schema = {}) => collection(title, { type: "array", items }, shared);

/** By the last part of their path. */
export const metadefSchemas = {
  namespace: { ...namespace, definitions },
  namespaces: list("namespaces", namespace, { definitions }),
  object: { ...object, definitions },
  objects: list("objects", object, { definitions }),
  property: { ...property, required: ["type", "title", "name"], definitions: countDefinitions },
  properties: collection(
    "properties",
    { type: "object", additionalProperties: property },
    { definitions: countDefinitions },
  ),
  tag,
  tags: list("tags", tag),
  resource_type: association,
  resource_types: list("resource_type_associations", association),
} as const satisfies Readonly<Record<string, Schema>>;

/** The body that sets all tags of a namespace, which no path serves. */
export const tagsBodySchema: Schema = {
  properties: {
    tags: {
      type: "array",
      items: { type: "object", properties: { name }, required: ["name"], additionalProperties: false },
    },
  },
  required: ["tags"],
  additionalProperties: false,
};
