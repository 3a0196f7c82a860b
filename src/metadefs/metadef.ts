// Metadata definitions: what properties mean that people put on images, volumes, flavors and other resources. A namespace holds properties,
// objects (groups of properties), tags, and the types of resources it is meant for.

/** As the API shows it: `2026-11-23T05:54:06Z`. */
export type Timestamp = string;
/** An object as JSON has it; numbers may be raw (core/exact-json.ts). */
export type JsonObject = Readonly<Record<string, unknown>>;

export type NamespaceVisibility = "public" | "private";

export type NamespaceAttributes = {
  readonly namespace: string;
  readonly displayName: string | null;
  readonly description: string | null;
  readonly visibility: string | null;
  readonly protected: boolean | null;
  readonly owner: string;
};

type Stamps = {
  readonly createdAt: Timestamp;
  /** null for what a file brought and nobody changed since. */
  readonly updatedAt: Timestamp | null;
};

/** A namespace without what stands in it. */
export type Namespace = NamespaceAttributes & Stamps & { readonly id: number };

export type PropertyDraft = { readonly name: string; readonly schema: unknown };
export type ObjectDraft = {
  readonly name: string;
  readonly description: string | null;
  readonly required: readonly string[] | null;
  readonly properties: unknown;
};
export type AssociationDraft = {
  readonly name: string;
  /** What names of properties begin with when they are put on a resource of this type. */
  readonly prefix: string | null;
  readonly propertiesTarget: string | null;
};

/** A namespace with all that stands in it, as one file or one request says it. */
export type MetadefNamespace = NamespaceAttributes & {
  readonly resourceTypes: readonly AssociationDraft[];
  readonly properties: readonly PropertyDraft[];
  readonly objects: readonly ObjectDraft[];
  readonly tags: readonly string[];
};

export type MetadefProperty = { readonly name: string; readonly schema: JsonObject };
export type MetadefObject = Stamps & {
  readonly name: string;
  readonly description: string | null;
  readonly required: readonly string[];
  readonly properties: JsonObject;
};
export type MetadefTag = Stamps & { readonly name: string };
export type ResourceType = Stamps & { readonly name: string };
export type Association = Stamps & AssociationDraft;

/** A namespace and what its page shows. */
export type ListedNamespace = Namespace & { readonly associations: readonly Association[] };
export type WholeNamespace = ListedNamespace & {
  readonly properties: readonly MetadefProperty[];
  readonly objects: readonly MetadefObject[];
  readonly tags: readonly MetadefTag[];
};

/** Of namespaces, objects, properties, tags and resource types: what their columns hold. */
export const nameCharsMax = 80;
/** Who owns what belongs to nobody's project, as the files that come with the service say. */
export const defaultOwner = "admin";
