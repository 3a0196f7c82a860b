// How a file says a namespace of metadata definitions with all that stands in it. Files are Glance's: one namespace each.
import { ServiceError } from "../../core/errors.ts";
import { defaultOwner, type MetadefNamespace, nameCharsMax } from "../../metadefs/metadef.ts";

/** Throws metadefs.bad_file, whose text says where in the file, and leaves the file's name to the caller. */
export function namespaceFromJson(json: unknown): MetadefNamespace {
  const file = new Part(json, "the file");
  const named = (key: string) => file.list(key).map((one, index) => new Part(one, `${key}[${index}]`));
  const visibility = file.text("visibility", 32);
  if (visibility !== null && visibility !== "public" && visibility !== "private")
    throw bad("visibility is neither public nor private");
  const properties = new Part(file.get("properties") ?? {}, "properties");
  const result: MetadefNamespace = {
    namespace: file.name("namespace"),
    displayName: file.text("display_name", nameCharsMax),
    description: file.text("description"),
    visibility,
    protected: file.flag("protected"),
    owner: file.text("owner", 255) ?? defaultOwner,
    resourceTypes: named("resource_type_associations").map((one) => ({
      name: one.name("name"),
      prefix: one.text("prefix", nameCharsMax),
      propertiesTarget: one.text("properties_target", nameCharsMax),
    })),
    properties: properties.keys().map((name) => ({
      name: storable("the name of a property", name, nameCharsMax),
      schema: new Part(properties.get(name), `properties.${name}`).value,
    })),
    objects: named("objects").map((one) => ({
      name: one.name("name"),
      description: one.text("description"),
      required: requiredNames(one),
      properties: new Part(one.get("properties") ?? {}, `${one.where}.properties`).value,
    })),
    tags: named("tags").map((one) => one.name("name")),
  };
  for (const [key, names] of [
    ["resource_type_associations", result.resourceTypes.map((one) => one.name)],
    ["objects", result.objects.map((one) => one.name)],
    ["tags", result.tags],
  ] as const)
    refuseTwins(key, names);
  return result;
}

/** What a file says; null and empty parts are left out. */
export function namespaceToJson(one: MetadefNamespace): unknown {
  return sparse({
    namespace: one.namespace,
    display_name: one.displayName,
    description: one.description,
    visibility: one.visibility,
    protected: one.protected,
    owner: one.owner === defaultOwner ? null : one.owner,
    resource_type_associations: one.resourceTypes.map(({ name, prefix, propertiesTarget }) =>
      sparse({ name, prefix, properties_target: propertiesTarget }),
    ),
    properties: Object.fromEntries(one.properties.map(({ name, schema }) => [name, schema])),
    objects: one.objects.map(({ name, description, required, properties }) => ({
      ...sparse({ name, description, required }),
      properties,
    })),
    tags: one.tags.map((name) => ({ name })),
  });
}

/** An object of the file, read by its keys. */
class Part {
  readonly value: Readonly<Record<string, unknown>>;
  readonly where: string;

  constructor(value: unknown, where: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || JSON.isRawJSON(value))
      throw bad(`${where} is not an object`);
    this.value = value as Readonly<Record<string, unknown>>;
    this.where = where;
  }

  keys(): readonly string[] {
    return Object.keys(this.value);
  }

  /** undefined where it is absent or null. */
  get(key: string): unknown {
    return Object.hasOwn(this.value, key) ? (this.value[key] ?? undefined) : undefined;
  }

  name(key: string): string {
    const text = this.text(key, nameCharsMax);
    if (text === null || text === "") throw bad(`${this.where} has no ${key}`);
    return text;
  }

  text(key: string, lengthMax = Number.POSITIVE_INFINITY): string | null {
    const value = this.get(key);
    if (value === undefined) return null;
    if (typeof value !== "string") throw bad(`${this.where}: ${key} is not a text`);
    return storable(`${this.where}: ${key}`, value, lengthMax);
  }

  flag(key: string): boolean | null {
    const value = this.get(key);
    if (value !== undefined && typeof value !== "boolean") throw bad(`${this.where}: ${key} is neither true nor false`);
    return value ?? null;
  }

  list(key: string): readonly unknown[] {
    const value = this.get(key) ?? [];
    if (!Array.isArray(value)) throw bad(`${this.where}: ${key} is not a list`);
    return value;
  }
}

/** The database keeps the list as one text, with commas; an empty one is none. */
function requiredNames(object: Part): readonly string[] | null {
  const names = object.list("required").map((name) => {
    if (typeof name !== "string" || name === "" || name.includes(","))
      throw bad(`${object.where}: required is not a list of names without commas`);
    return storable(`${object.where}: required`, name, Number.POSITIVE_INFINITY);
  });
  return names.length > 0 ? names : null;
}

/** The tables are utf8mb3, and PostgreSQL has no character 0. */
function storable(what: string, text: string, lengthMax: number): string {
  if (text.length > lengthMax) throw bad(`${what} has more than ${lengthMax} characters`);
  if (/[\0\u{10000}-\u{10FFFF}\p{Surrogate}]/u.test(text))
    throw bad(`${what} has a character that cannot be stored (beyond Unicode's basic plane, or 0)`);
  return text;
}

function refuseTwins(key: string, names: readonly string[]): void {
  const twin = names.find((name, index) => names.indexOf(name) !== index);
  if (twin !== undefined) throw bad(`${key} has two of the name ${twin}`);
}

function sparse(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const says = (value: unknown) =>
    value !== null && value !== undefined && (typeof value !== "object" || Object.keys(value).length > 0);
  return Object.fromEntries(Object.entries(record).filter(([, value]) => says(value)));
}

function bad(what: string): ServiceError {
  return new ServiceError("metadefs.bad_file", what);
}
