// Metadata definitions as JSON. What is null is left out, and paths are those of the reference, except that names in them are encoded.
import type {
  Association,
  JsonObject,
  ListedNamespace,
  MetadefObject,
  MetadefProperty,
  MetadefTag,
  Namespace,
  ResourceType,
  WholeNamespace,
} from "../metadefs/metadef.ts";

type View = Readonly<Record<string, unknown>>;
type Stamped = { readonly createdAt: string; readonly updatedAt: string | null };

export function namespacePath(name: string): string {
  return `/v2/metadefs/namespaces/${segment(name)}`;
}

/** Colons stay, which most names of namespaces have. */
function segment(name: string): string {
  return encodeURIComponent(name).replaceAll("%3A", ":");
}

export function namespaceView(namespace: Namespace | ListedNamespace | WholeNamespace): View {
  const { associations = [], properties = [], objects = [], tags = [] } = namespace as Partial<WholeNamespace>;
  return sparse({
    namespace: namespace.namespace,
    display_name: namespace.displayName,
    description: namespace.description,
    visibility: namespace.visibility ?? "private",
    protected: namespace.protected ?? false,
    owner: namespace.owner,
    ...stamps(namespace),
    resource_type_associations: notEmpty(associations.map(associationView)),
    properties: properties.length === 0 ? null : propertiesView(properties),
    objects: notEmpty(objects.map((one) => objectView(namespace.namespace, one))),
    tags: notEmpty(tags.map(({ name }) => ({ name }))),
    self: namespacePath(namespace.namespace),
    schema: "/v2/schemas/metadefs/namespace",
  });
}

export function objectView(namespace: string, object: MetadefObject): View {
  const { name, description, required, properties } = object;
  return sparse({
    name,
    required,
    description,
    properties: membersView(properties),
    ...stamps(object),
    self: `${namespacePath(namespace)}/objects/${segment(name)}`,
    schema: "/v2/schemas/metadefs/object",
  });
}

/** One on its own says its name; in a list it is the key. */
export function propertyView({ name, schema }: MetadefProperty): View {
  return { name, ...schemaView({ ...schema, name: null }) };
}

export function propertiesView(properties: readonly MetadefProperty[]): View {
  return Object.fromEntries(properties.map(({ name, schema }) => [name, schemaView(schema)]));
}

export function tagView(tag: MetadefTag): View {
  return sparse({ name: tag.name, ...stamps(tag) });
}

export function resourceTypeView(type: ResourceType): View {
  return sparse({ name: type.name, ...stamps(type) });
}

export function associationView(association: Association): View {
  const { name, prefix, propertiesTarget } = association;
  return sparse({ name, prefix, properties_target: propertiesTarget, ...stamps(association) });
}

function membersView(properties: JsonObject): View {
  return Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, schemaView((schema ?? {}) as JsonObject)]),
  );
}

/** Files may give numbers and flags as defaults; clients always saw texts. */
function schemaView(schema: JsonObject): View {
  const { default: value } = schema;
  const isScalar = typeof value === "number" || typeof value === "boolean" || JSON.isRawJSON(value);
  return sparse(isScalar ? { ...schema, default: JSON.stringify(value) } : schema);
}

function stamps({ createdAt, updatedAt }: Stamped): View {
  return { created_at: createdAt, updated_at: updatedAt };
}

function notEmpty<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}

function sparse(view: View): View {
  return Object.fromEntries(Object.entries(view).filter(([, value]) => value !== null && value !== undefined));
}
