// What metadata definitions need of a database. Names are looked up as the database compares them, which is how it also tells that one is
// taken. Whatever changes a namespace or its contents holds the namespace's row meanwhile, so that nothing is left of one that goes away.
import type {
  Association,
  AssociationDraft,
  ListedNamespace,
  MetadefNamespace,
  MetadefObject,
  MetadefProperty,
  MetadefTag,
  Namespace,
  NamespaceAttributes,
  NamespaceVisibility,
  ObjectDraft,
  PropertyDraft,
  ResourceType,
} from "./metadef.ts";

/** Whose eyes a list looks through: an admin's see all, others what is public or their own. */
export type MetadefViewer = { readonly projectId: string | null; readonly isAdmin: boolean };

export const namespaceSortKeys = [
  "created_at",
  "updated_at",
  "namespace",
  "display_name",
  "description",
  "visibility",
  "protected",
  "owner",
  "id",
] as const;
export type NamespaceSortKey = (typeof namespaceSortKeys)[number];
export const tagSortKeys = ["created_at", "updated_at", "name", "id"] as const;
export type TagSortKey = (typeof tagSortKeys)[number];

/** Ties are broken by created_at and id, in the same direction. */
export type Paging<Key extends string> = {
  readonly sortKey: Key;
  readonly direction: "asc" | "desc";
  /** null: all. */
  readonly limit: number | null;
  /** The name behind which the page begins. */
  readonly marker?: string;
};

export type NamespaceQuery = Paging<NamespaceSortKey> & {
  readonly viewer: MetadefViewer;
  readonly visibility?: NamespaceVisibility;
  /** Namespaces for at least one of these. */
  readonly resourceTypes?: readonly string[];
};

export interface PartRepository<Part, Draft> {
  /** Tags newest first, objects and properties as they were made. */
  list(namespaceId: number): Promise<readonly Part[]>;
  find(namespaceId: number, name: string): Promise<Part | undefined>;
  /** Throws metadefs.duplicate, metadefs.not_found (the namespace went away). */
  add(namespaceId: number, draft: Draft): Promise<Part>;
  /** undefined: there is none of this name. Throws metadefs.duplicate, metadefs.not_found. */
  update(namespaceId: number, name: string, draft: Draft): Promise<Part | undefined>;
  /** Whether there was one. Throws metadefs.forbidden where the namespace is protected, metadefs.not_found. */
  remove(namespaceId: number, name: string): Promise<boolean>;
  /** Removes all. Throws as remove. */
  clear(namespaceId: number): Promise<void>;
}

export interface TagRepository extends PartRepository<MetadefTag, { readonly name: string }> {
  /** undefined: there is no tag of the marker's name. */
  page(namespaceId: number, paging: Paging<TagSortKey>): Promise<readonly MetadefTag[] | undefined>;
  /** In the place of all that is there, or beside it. All or nothing. Throws metadefs.duplicate, metadefs.not_found. */
  addAll(namespaceId: number, names: readonly string[], options: { readonly append: boolean }): Promise<void>;
}

export interface AssociationRepository {
  list(namespaceId: number): Promise<readonly Association[]>;
  /** Makes the resource type where there is none. Throws metadefs.duplicate, metadefs.not_found. */
  add(namespaceId: number, draft: AssociationDraft): Promise<Association>;
  /** Whether there was one. Throws metadefs.forbidden where the namespace is protected, metadefs.not_found. */
  remove(namespaceId: number, resourceType: string): Promise<boolean>;
}

export interface MetadefRepository {
  find(name: string): Promise<Namespace | undefined>;
  /** undefined: no namespace that the viewer may see has the marker's name. */
  list(query: NamespaceQuery): Promise<readonly ListedNamespace[] | undefined>;
  /** All of it, or nothing. Throws metadefs.duplicate. */
  create(draft: MetadefNamespace): Promise<Namespace>;
  /** undefined: it is gone. Throws metadefs.duplicate. */
  update(id: number, attributes: NamespaceAttributes): Promise<Namespace | undefined>;
  /** With all that stands in it; false: it is gone. Throws metadefs.forbidden where it is protected. */
  remove(id: number): Promise<boolean>;
  /** All there are. */
  resourceTypes(): Promise<readonly ResourceType[]>;
  readonly objects: PartRepository<MetadefObject, ObjectDraft>;
  readonly properties: PartRepository<MetadefProperty, PropertyDraft>;
  readonly tags: TagRepository;
  readonly associations: AssociationRepository;
}
