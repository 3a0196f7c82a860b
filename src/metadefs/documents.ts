// Bodies of requests to drafts: checked against the published schemas, and then against what the tables hold and what a neighbouring node
// of the reference can read, which would fail on the whole namespace otherwise. Throws metadefs.invalid, and metadefs.forbidden for what
// only the service sets.
import { Ajv, type ValidateFunction } from "ajv";
import { jsonText } from "../core/json-text.ts";
import { isStorable } from "../core/storable-text.ts";
import { forbidden, invalid } from "./failures.ts";
import {
  type AssociationDraft,
  type JsonObject,
  type MetadefNamespace,
  nameCharsMax,
  type ObjectDraft,
  type PropertyDraft,
} from "./metadef.ts";
import { metadefSchemas, propertyMembers, tagsBodySchema } from "./schemas.ts";

// Formats are descriptions: a pattern is written in the language of whoever reads the definitions.
const ajv = new Ajv({ strict: false, validateFormats: false, verbose: false });
const schemas = {
  namespace: metadefSchemas.namespace,
  object: metadefSchemas.object,
  property: metadefSchemas.property,
  tag: metadefSchemas.tag,
  association: metadefSchemas.resource_type,
  tags: tagsBodySchema,
} as const;
type Kind = keyof typeof schemas;
/** Compiled when the first body of its kind comes: most nodes never see one, and none should start later for it. */
const checks = new Map<Kind, ValidateFunction>();

/** What a column of type text holds on MySQL. */
const textBytesMax = 65_535;
const levelsMax = 50;
const stamps = ["created_at", "updated_at"];

/** A namespace's own attributes as a body gives them; absent: not said. */
export type NamespaceDocument = {
  readonly namespace: string;
  readonly displayName: string | null;
  readonly description: string | null;
  readonly visibility: string | null;
  readonly protected: boolean | null;
  readonly owner: string | null;
  readonly contents: Pick<MetadefNamespace, "resourceTypes" | "properties" | "objects" | "tags">;
};

export function namespaceDocument(body: unknown): NamespaceDocument {
  const one = checked("namespace", body, [...stamps, "self", "schema"]);
  return {
    namespace: nameOf("namespace", one.namespace),
    displayName: textOf("display_name", one.display_name),
    description: textOf("description", one.description),
    visibility: textOf("visibility", one.visibility),
    protected: one.protected === undefined ? null : one.protected === true,
    owner: one.owner === "" ? null : textOf("owner", one.owner),
    contents: {
      resourceTypes: listOf(one.resource_type_associations).map((each) => associationOf(each)),
      properties: Object.entries(membersOf(one.properties)).map(([name, schema]) => propertyOf(name, schema)),
      objects: listOf(one.objects).map((each) => objectOf(each)),
      tags: listOf(one.tags).map((each) => onlyName("tag", each)),
    },
  };
}

export function objectDocument(body: unknown): ObjectDraft {
  return objectOf(checked("object", body, [...stamps, "self", "schema"]));
}

export function propertyDocument(body: unknown): PropertyDraft {
  const one = checked("property", body, stamps);
  return propertyOf(nameOf("property", one.name), one);
}

export function tagDocument(body: unknown): string {
  return nameOf("tag", checked("tag", body, stamps).name);
}

export function tagsDocument(body: unknown): readonly string[] {
  return listOf(checked("tags", body, stamps).tags).map((each) => nameOf("tag", membersOf(each).name));
}

export function associationDocument(body: unknown): AssociationDraft {
  return associationOf(checked("association", body, stamps));
}

/** A name that a path can say and a column hold. `kind`: of what. */
export function nameOf(kind: string, value: unknown): string {
  if (typeof value !== "string" || value === "")
    throw invalid(`The name of a ${kind} must be a text that is not empty.`);
  if (!isName(value))
    throw invalid(
      `The name of a ${kind} has at most ${nameCharsMax} characters, no "/", and none beyond Unicode's basic plane.`,
    );
  return value;
}

/** Whether anything can be called so; asking a database for what it cannot hold may fail. */
export function isName(text: string): boolean {
  return text !== "" && text.length <= nameCharsMax && !text.includes("/") && isStorable(text);
}

function checked(kind: Kind, body: unknown, setByService: readonly string[]): JsonObject {
  if (Array.isArray(body)) throw invalid("The body must be a JSON object, not a list.");
  if (isDeeper(body, levelsMax)) throw invalid(`The body is nested more than ${levelsMax} levels deep.`);
  const taken = setByService.find((key) => Object.hasOwn(body as JsonObject, key));
  if (taken !== undefined) throw forbidden(`Attribute ${taken} is read-only.`);
  const check = checks.get(kind) ?? ajv.compile(schemas[kind]);
  checks.set(kind, check);
  // Numbers beyond a double's precision are kept as they were written; a checker wants them as numbers.
  if (!check(JSON.parse(JSON.stringify(body)))) throw invalid(complaint(check));
  return body as JsonObject;
}

function complaint({ errors }: ValidateFunction): string {
  const [error] = errors ?? [];
  const at = error?.instancePath === "" ? "The body" : error?.instancePath;
  const { additionalProperty, allowedValues } = error?.params ?? {};
  const extra = additionalProperty ?? allowedValues;
  return `${at?.slice(0, 200)} ${error?.message}${extra === undefined ? "" : `: ${String(extra).slice(0, 200)}`}.`;
}

const objectKeys = new Set(["name", "description", "required", "properties", "self", "schema", ...stamps]);

function objectOf(value: unknown): ObjectDraft {
  const one = membersOf(value);
  const name = nameOf("object", one.name);
  refuseOthers(`Object ${name}`, one, objectKeys);
  const required = listOf(one.required).map((each) => String(each));
  if (required.some((each) => each === "" || each.includes(",")))
    throw invalid(`Object ${name}: required is a list of names without commas.`);
  const properties = membersOf(one.properties);
  for (const [key, schema] of Object.entries(properties)) propertyOf(key, schema);
  requireShort(`Object ${name}: properties`, jsonText(properties));
  return {
    name,
    description: textOf("description", one.description),
    required: required.length === 0 ? null : required.map((each) => textOf("required", each) ?? ""),
    properties,
  };
}

/** `required` is in the schema, but no reader of the reference takes it; `confidential` the other way round. */
const propertyKeys = new Set([...Object.keys(propertyMembers), "confidential"].filter((key) => key !== "required"));

function propertyOf(name: string, value: unknown): PropertyDraft {
  const schema = membersOf(value);
  nameOf("property", name);
  refuseOthers(`Property ${name}`, schema, propertyKeys);
  const items = membersOf(schema.items);
  refuseOthers(`Property ${name}: items`, items, new Set(["type", "enum"]));
  if (schema.items !== undefined && items.type === undefined) throw invalid(`Property ${name}: items has no type.`);
  for (const values of [schema.enum, items.enum])
    if (listOf(values).some((each) => typeof each !== "string"))
      throw invalid(`Property ${name}: enum is a list of texts, whatever the property's type.`);
  if (schema.confidential !== undefined && typeof schema.confidential !== "boolean")
    throw invalid(`Property ${name}: confidential is true or false.`);
  requireShort(`Property ${name}`, jsonText(schema));
  return { name, schema };
}

function associationOf(value: unknown): AssociationDraft {
  const one = membersOf(value);
  refuseOthers("A resource type", one, new Set(["name", "prefix", "properties_target", ...stamps]));
  const short = (key: string) => {
    const text = textOf(key, one[key]);
    if (text !== null && text.length > nameCharsMax) throw invalid(`${key} has more than ${nameCharsMax} characters.`);
    return text;
  };
  return {
    name: nameOf("resource type", one.name),
    prefix: short("prefix"),
    propertiesTarget: short("properties_target"),
  };
}

function onlyName(kind: string, value: unknown): string {
  const one = membersOf(value);
  refuseOthers(`A ${kind}`, one, new Set(["name", ...stamps]));
  return nameOf(kind, one.name);
}

function refuseOthers(where: string, value: JsonObject, known: ReadonlySet<string>): void {
  const other = Object.keys(value).find((key) => !known.has(key));
  if (other !== undefined) throw invalid(`${where} has no attribute ${other.slice(0, 80)}.`);
}

/** What a schema has found to be an object, or nothing. */
function membersOf(value: unknown): JsonObject {
  return (value ?? {}) as JsonObject;
}

function listOf(value: unknown): readonly unknown[] {
  return (value ?? []) as readonly unknown[];
}

function textOf(what: string, value: unknown): string | null {
  if (value === undefined || value === null) return null;
  const text = String(value);
  requireFits(what, text);
  return text;
}

function requireFits(what: string, text: string): void {
  if (!isStorable(text)) throw invalid(`${what}: NUL and characters beyond Unicode's basic plane cannot be stored.`);
  requireShort(what, text);
}

function requireShort(what: string, text: string): void {
  if (Buffer.byteLength(text) > textBytesMax) throw invalid(`${what} has more than ${textBytesMax} bytes.`);
}

/** Readers and writers of JSON call themselves at each level. */
function isDeeper(value: unknown, levelsMax: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levelsMax === 0 || Object.values(value).some((member) => isDeeper(member, levelsMax - 1));
}
