// The door of this room: what routes call. Every method checks visibility, policy and ownership itself; bodies come as parsed JSON, whose
// numbers may be raw. What a method throws, beside what its comment says: metadefs.not_found for a namespace that is not there or not
// the caller's to see, metadefs.forbidden where policy, ownership or protection refuse.
import type { Caller, Policy } from "../core/caller.ts";
import type { Capabilities } from "../releases/capabilities.ts";
import type {
  Association,
  ListedNamespace,
  MetadefObject,
  MetadefProperty,
  MetadefTag,
  Namespace,
  ResourceType,
  WholeNamespace,
} from "./metadef.ts";
import { createNamespaceService } from "./namespace-service.ts";
import { createObjectService, createPropertyService, createTagService } from "./part-services.ts";
import type { MetadefRepository, NamespaceQuery, Paging, TagSortKey } from "./ports.ts";
import { createResourceTypeService } from "./resource-type-service.ts";

/** `limit`: null for the default; larger than the operator's maximum is cut. */
export type ListNamespacesRequest = Omit<NamespaceQuery, "viewer">;

export type NamespacePage = {
  readonly namespaces: readonly ListedNamespace[];
  /** The marker of the page after this one; null where this was the last. */
  readonly nextMarker: string | null;
};

export interface NamespaceService {
  /** Throws metadefs.not_found for a marker that names none. */
  list(caller: Caller, request: ListNamespacesRequest): Promise<NamespacePage>;
  /** With all that the body says stands in it, or not at all. Throws metadefs.invalid, metadefs.duplicate. */
  create(caller: Caller, body: unknown): Promise<WholeNamespace>;
  /** `resourceType`: names of properties get the prefix that this type has here, if it has one. */
  show(caller: Caller, name: string, resourceType: string | null): Promise<WholeNamespace>;
  /** What the body leaves out gets its default, as in a new namespace; contents stay. Throws metadefs.invalid, metadefs.duplicate. */
  update(caller: Caller, name: string, body: unknown): Promise<Namespace>;
  remove(caller: Caller, name: string): Promise<void>;
}

export interface PartService<Part> {
  list(caller: Caller, namespace: string): Promise<readonly Part[]>;
  show(caller: Caller, namespace: string, name: string): Promise<Part>;
  /** Throws metadefs.invalid, metadefs.duplicate. */
  create(caller: Caller, namespace: string, body: unknown): Promise<Part>;
  /** The body replaces it, name included. Throws metadefs.invalid, metadefs.duplicate. */
  update(caller: Caller, namespace: string, name: string, body: unknown): Promise<Part>;
  remove(caller: Caller, namespace: string, name: string): Promise<void>;
  /** Removes all of the namespace. */
  clear(caller: Caller, namespace: string): Promise<void>;
}

export interface PropertyService extends PartService<MetadefProperty> {
  /** The property that is called `name` on resources of this type. */
  showFor(caller: Caller, namespace: string, name: string, resourceType: string): Promise<MetadefProperty>;
}

export interface TagService extends Omit<PartService<MetadefTag>, "create" | "list"> {
  /** Throws metadefs.not_found for a marker that names none. */
  list(caller: Caller, namespace: string, paging: Paging<TagSortKey>): Promise<readonly MetadefTag[]>;
  create(caller: Caller, namespace: string, name: string): Promise<MetadefTag>;
  /** Those of the body in the place of all others, or beside them where the release can. Throws metadefs.invalid, metadefs.duplicate. */
  setAll(caller: Caller, namespace: string, body: unknown, append: boolean): Promise<readonly string[]>;
}

export interface ResourceTypeService {
  listTypes(caller: Caller): Promise<readonly ResourceType[]>;
  list(caller: Caller, namespace: string): Promise<readonly Association[]>;
  /** Throws metadefs.invalid, metadefs.duplicate. */
  associate(caller: Caller, namespace: string, body: unknown): Promise<Association>;
  dissociate(caller: Caller, namespace: string, resourceType: string): Promise<void>;
}

export type MetadefServicesDeps = {
  readonly repository: MetadefRepository;
  readonly policy: Policy;
  readonly capabilities: Pick<Capabilities, "policy" | "metadefTagsAppended">;
  readonly pageDefault: number;
  readonly pageMax: number;
};

export type MetadefServices = {
  readonly namespaces: NamespaceService;
  readonly objects: PartService<MetadefObject>;
  readonly properties: PropertyService;
  readonly tags: TagService;
  readonly resourceTypes: ResourceTypeService;
};

export function createMetadefServices({ capabilities, ...rest }: MetadefServicesDeps): MetadefServices {
  const deps = { ...rest, traits: capabilities.policy };
  return {
    namespaces: createNamespaceService(deps),
    objects: createObjectService(deps),
    properties: createPropertyService(deps),
    tags: createTagService(deps, capabilities),
    resourceTypes: createResourceTypeService(deps),
  };
}
