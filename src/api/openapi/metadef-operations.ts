// Calls on metadata definitions, as the API's description shows them.
import { namespaceSortKeys, tagSortKeys } from "../../metadefs/ports.ts";
import { directions, page } from "./image-operations.ts";
import { json, type Operation, type Operations, oneOf, type Parameter, parameter, ref, text } from "./operation.ts";

const base = "/metadefs/namespaces";
const one = `${base}/:namespace`;
const resourceType = parameter("resource_type", text, "Names of properties get the prefix they have on this type.");

function paging(keys: readonly string[]): readonly Parameter[] {
  return [
    ...page,
    parameter("sort_key", oneOf(...keys), "What the list is sorted by."),
    parameter("sort_dir", directions, "Which way."),
  ];
}

type Kind = {
  /** Of the path, and of its one. */
  readonly path: string;
  readonly param: string;
  /** In ids. */
  readonly name: string;
  readonly names: string;
  readonly what: string;
  readonly schema: string;
  readonly list: string;
  readonly query?: readonly Parameter[];
  /** Of one. */
  readonly showQuery?: readonly Parameter[];
};

function partOperations(kind: Kind): Operations {
  const { path, param, name, names, what, schema, list, query, showQuery } = kind;
  return {
    [`GET ${one}/${path}`]: {
      id: `list${names}`,
      summary: `The ${what}s of a namespace.`,
      ...(query ? { query } : {}),
      answers: { 200: ref(list) },
    },
    [`POST ${one}/${path}`]: {
      id: `create${name}`,
      summary: `Adds a ${what}.`,
      body: json(ref(schema)),
      answers: { 201: ref(schema) },
      errors: [409, 413],
    },
    [`DELETE ${one}/${path}`]: { id: `delete${names}`, summary: `Deletes all ${what}s.`, answers: { 204: null } },
    [`GET ${one}/${path}/:${param}`]: {
      id: `show${name}`,
      summary: `One ${what}.`,
      ...(showQuery ? { query: showQuery } : {}),
      answers: { 200: ref(schema) },
    },
    [`PUT ${one}/${path}/:${param}`]: {
      id: `update${name}`,
      summary: `Replaces a ${what}.`,
      body: json(ref(schema)),
      answers: { 200: ref(schema) },
      errors: [409, 413],
    },
    [`DELETE ${one}/${path}/:${param}`]: { id: `delete${name}`, summary: `Deletes a ${what}.`, answers: { 204: null } },
  };
}

const setAllTags: Operation = {
  id: "setMetadefTags",
  summary: "Makes these the tags of the namespace.",
  headers: [parameter("X-Openstack-Append", text, "true: the tags that are there stay, from Yoga on.")],
  body: json(ref("metadef_tags_body")),
  answers: { 201: ref("metadef_tags") },
  errors: [409, 413],
};

export const metadefOperations: Operations = {
  [`GET ${base}`]: {
    id: "listNamespaces",
    summary: "Namespaces the caller may see, by pages.",
    query: [
      ...paging(namespaceSortKeys),
      parameter("visibility", oneOf("public", "private"), "Who may see the namespace."),
      parameter("resource_types", text, "Names, separated by commas: namespaces that are for one of them."),
    ],
    answers: { 200: ref("metadef_namespaces") },
    // The marker is no namespace.
    errors: [404],
  },
  [`POST ${base}`]: {
    id: "createNamespace",
    summary: "Makes a namespace, with what is in it.",
    body: json(ref("metadef_namespace")),
    answers: { 201: ref("metadef_namespace") },
    errors: [409, 413],
  },
  [`GET ${one}`]: {
    id: "showNamespace",
    summary: "A namespace, with all that is in it.",
    query: [resourceType],
    answers: { 200: ref("metadef_namespace") },
  },
  [`PUT ${one}`]: {
    id: "updateNamespace",
    summary: "Replaces the attributes of a namespace.",
    body: json(ref("metadef_namespace")),
    answers: { 200: ref("metadef_namespace") },
    errors: [409, 413],
  },
  [`DELETE ${one}`]: {
    id: "deleteNamespace",
    summary: "Deletes a namespace, with what is in it.",
    answers: { 204: null },
  },
  ...partOperations({
    path: "objects",
    param: "object",
    name: "MetadefObject",
    names: "MetadefObjects",
    what: "object",
    schema: "metadef_object",
    list: "metadef_objects",
    query: paging(tagSortKeys),
  }),
  ...partOperations({
    path: "properties",
    param: "property",
    name: "MetadefProperty",
    names: "MetadefProperties",
    what: "property",
    schema: "metadef_property",
    list: "metadef_properties",
    showQuery: [resourceType],
  }),
  ...partOperations({
    path: "tags",
    param: "tag",
    name: "MetadefTag",
    names: "MetadefTags",
    what: "tag",
    schema: "metadef_tag",
    list: "metadef_tags",
    query: paging(tagSortKeys),
  }),
  [`POST ${one}/tags`]: setAllTags,
  [`POST ${one}/tags/:tag`]: {
    id: "createMetadefTag",
    summary: "Adds one tag.",
    answers: { 201: ref("metadef_tag") },
    errors: [409],
  },
  "GET /metadefs/resource_types": {
    id: "listResourceTypes",
    summary: "Every resource type that is known.",
    answers: { 200: ref("resource_type_list") },
  },
  [`GET ${one}/resource_types`]: {
    id: "listAssociations",
    summary: "What resource types a namespace is for.",
    answers: { 200: ref("metadef_resource_types") },
  },
  [`POST ${one}/resource_types`]: {
    id: "createAssociation",
    summary: "Says that a namespace is for a resource type.",
    body: json(ref("metadef_resource_type")),
    answers: { 201: ref("metadef_resource_type") },
    errors: [409, 413],
  },
  [`DELETE ${one}/resource_types/:resourceType`]: {
    id: "deleteAssociation",
    summary: "Says that it is no longer.",
    answers: { 204: null },
  },
};
