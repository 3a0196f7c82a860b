// What stands in a namespace under names of its own: objects, properties and tags, which are handled alike.
import type { Caller } from "../core/caller.ts";
import type { Capabilities } from "../releases/capabilities.ts";
import {
  type AccessDeps,
  foundNamespace,
  isAllowed,
  requireAllowed,
  requireChangeable,
  requireRemovable,
} from "./access.ts";
import { isName, nameOf, objectDocument, propertyDocument, tagDocument, tagsDocument } from "./documents.ts";
import { notFound } from "./failures.ts";
import type { MetadefObject, Namespace, ObjectDraft, PropertyDraft } from "./metadef.ts";
import type { PartRepository } from "./ports.ts";
import type { PartService, PropertyService, TagService } from "./services.ts";

/** `clear`: the rules for removing all of them. `listed`: without this one, newer releases list nothing. */
type Kind<Part, Draft> = {
  readonly kind: string;
  readonly rules: Readonly<Record<"list" | "show" | "add" | "modify" | "remove", string>> & {
    readonly clear: readonly string[];
    readonly listed?: string;
  };
  readonly parts: PartRepository<Part, Draft>;
  readonly parse: (body: unknown) => Draft;
};

export function createObjectService(deps: AccessDeps): PartService<MetadefObject> {
  return createPartService<MetadefObject, ObjectDraft>(deps, {
    kind: "object",
    rules: {
      list: "get_metadef_objects",
      show: "get_metadef_object",
      add: "add_metadef_object",
      modify: "modify_metadef_object",
      remove: "delete_metadef_object",
      clear: ["delete_metadef_namespace"],
      listed: "get_metadef_object",
    },
    parts: deps.repository.objects,
    parse: objectDocument,
  });
}

export function createPropertyService(deps: AccessDeps): PropertyService {
  const { repository } = deps;
  const parts = createPartService(deps, {
    kind: "property",
    rules: {
      list: "get_metadef_properties",
      show: "get_metadef_property",
      add: "add_metadef_property",
      modify: "modify_metadef_property",
      remove: "remove_metadef_property",
      clear: ["delete_metadef_namespace"],
    },
    parts: repository.properties,
    parse: (body): PropertyDraft => propertyDocument(body),
  });
  return {
    ...parts,
    async showFor(caller, namespaceName, name, resourceType) {
      const namespace = await foundNamespace(deps, caller, namespaceName);
      requireAllowed(deps, "get_metadef_property", caller, namespace);
      requireAllowed(deps, "get_metadef_resource_type", caller, namespace);
      const associations = await repository.associations.list(namespace.id);
      const prefix = associations.find((one) => one.name === resourceType)?.prefix;
      if (!prefix || !name.startsWith(prefix)) throw notFound("property", name);
      return parts.show(caller, namespaceName, name.slice(prefix.length));
    },
  };
}

export function createTagService(
  deps: AccessDeps,
  { metadefTagsAppended }: Pick<Capabilities, "metadefTagsAppended">,
): TagService {
  const { tags } = deps.repository;
  const parts = createPartService(deps, {
    kind: "tag",
    rules: {
      list: "get_metadef_tags",
      show: "get_metadef_tag",
      add: "add_metadef_tag",
      modify: "modify_metadef_tag",
      remove: "delete_metadef_tag",
      clear: ["delete_metadef_namespace", "delete_metadef_tags"],
    },
    parts: tags,
    parse: (body) => ({ name: tagDocument(body) }),
  });
  return {
    ...parts,
    create: (caller, namespace, name) => parts.create(caller, namespace, { name: nameOf("tag", name) }),

    async list(caller, namespaceName, paging) {
      const namespace = await foundNamespace(deps, caller, namespaceName);
      requireAllowed(deps, "get_metadef_tags", caller, namespace);
      const page = await tags.page(namespace.id, paging);
      if (!page) throw notFound("tag", paging.marker ?? "");
      return page;
    },

    async setAll(caller, namespaceName, body, append) {
      const names = tagsDocument(body);
      const namespace = await foundNamespace(deps, caller, namespaceName);
      requireChangeable(deps, "add_metadef_tags", caller, namespace);
      await tags.addAll(namespace.id, names, { append: append && metadefTagsAppended });
      return names;
    },
  };
}

function createPartService<Part, Draft>(deps: AccessDeps, one: Kind<Part, Draft>): PartService<Part> {
  const { kind, rules, parts, parse } = one;

  /** Names that no row can have are not asked for. */
  async function required(name: string, find: () => Promise<Part | undefined>): Promise<Part> {
    const part = isName(name) ? await find() : undefined;
    if (!part) throw notFound(kind, name);
    return part;
  }

  const changeable = async (caller: Caller, namespaceName: string, rule: string): Promise<Namespace> => {
    const namespace = await foundNamespace(deps, caller, namespaceName);
    requireChangeable(deps, rule, caller, namespace);
    return namespace;
  };

  return {
    async list(caller, namespaceName) {
      const namespace = await foundNamespace(deps, caller, namespaceName);
      requireAllowed(deps, rules.list, caller, namespace);
      const { listed } = rules;
      if (listed && deps.traits.filtersLists && !isAllowed(deps, listed, caller, namespace)) return [];
      return parts.list(namespace.id);
    },

    async show(caller, namespaceName, name) {
      const namespace = await foundNamespace(deps, caller, namespaceName);
      requireAllowed(deps, rules.show, caller, namespace);
      return required(name, () => parts.find(namespace.id, name));
    },

    async create(caller, namespaceName, body) {
      const draft = parse(body);
      const namespace = await changeable(caller, namespaceName, rules.add);
      return parts.add(namespace.id, draft);
    },

    async update(caller, namespaceName, name, body) {
      const draft = parse(body);
      const namespace = await changeable(caller, namespaceName, rules.modify);
      return required(name, () => parts.update(namespace.id, name, draft));
    },

    async remove(caller, namespaceName, name) {
      const namespace = await foundNamespace(deps, caller, namespaceName);
      requireRemovable(deps, [rules.remove], caller, namespace);
      if (!isName(name) || !(await parts.remove(namespace.id, name))) throw notFound(kind, name);
    },

    async clear(caller, namespaceName) {
      const namespace = await foundNamespace(deps, caller, namespaceName);
      requireRemovable(deps, rules.clear, caller, namespace);
      await parts.clear(namespace.id);
    },
  };
}
