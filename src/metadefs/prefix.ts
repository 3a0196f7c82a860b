// The prefix that a type of resource puts before the names of properties.
import type { JsonObject, WholeNamespace } from "./metadef.ts";

/** The namespace as it is meant for resources of a type with this prefix. */
export function withPrefix(namespace: WholeNamespace, prefix: string): WholeNamespace {
  const prefixed = (properties: JsonObject) =>
    Object.fromEntries(Object.entries(properties).map(([name, schema]) => [prefix + name, schema]));
  return {
    ...namespace,
    properties: namespace.properties.map(({ name, schema }) => ({ name: prefix + name, schema })),
    objects: namespace.objects.map((one) => ({
      ...one,
      properties: prefixed(one.properties),
      required: one.required.map((name) => prefix + name),
    })),
  };
}
