// Namespaces: made, listed, shown, replaced and removed.
import type { Caller } from "../core/caller.ts";
import {
  type AccessDeps,
  foundNamespace,
  isAllowed,
  requireAllowed,
  requireChangeable,
  requireRemovable,
} from "./access.ts";
import { type NamespaceDocument, namespaceDocument } from "./documents.ts";
import { forbidden, notFound } from "./failures.ts";
import { defaultOwner, type Namespace, type NamespaceAttributes, type WholeNamespace } from "./metadef.ts";
import { withPrefix } from "./prefix.ts";
import type { NamespaceService } from "./services.ts";

type Deps = AccessDeps & { readonly pageDefault: number; readonly pageMax: number };

export function createNamespaceService(deps: Deps): NamespaceService {
  const { repository, traits } = deps;

  async function whole(namespace: Namespace): Promise<WholeNamespace> {
    return {
      ...namespace,
      associations: await repository.associations.list(namespace.id),
      properties: await repository.properties.list(namespace.id),
      objects: await repository.objects.list(namespace.id),
      tags: await repository.tags.list(namespace.id),
    };
  }

  return {
    async list(caller, request) {
      requireAllowed(deps, "get_metadef_namespaces", caller, null);
      requireAllowed(deps, "list_metadef_resource_types", caller, null);
      const limit = Math.min(request.limit ?? deps.pageDefault, deps.pageMax);
      const rows = await repository.list({ ...request, limit, viewer: caller });
      if (!rows) throw notFound("namespace", request.marker ?? "");
      const namespaces = traits.filtersLists
        ? rows.filter((row) => isAllowed(deps, "get_metadef_namespace", caller, row))
        : rows;
      // A full page has a next one, even where it turns out to be empty: the reference's clients follow it.
      return { namespaces, nextMarker: (rows.length === limit && namespaces.at(-1)?.namespace) || null };
    },

    async create(caller, body) {
      const document = namespaceDocument(body);
      const { contents } = document;
      const rules = [
        ["add_metadef_namespace", true],
        ["add_metadef_resource_type_association", contents.resourceTypes.length > 0],
        ["add_metadef_object", contents.objects.length > 0],
        ["add_metadef_property", contents.properties.length > 0],
        ["add_metadef_tag", contents.tags.length > 0],
      ] as const;
      for (const [rule, asked] of rules) if (asked) requireAllowed(deps, rule, caller, null);
      const attributes = attributesOf(document, caller);
      if (traits.metadefOwnership && !caller.isAdmin && attributes.owner !== caller.projectId)
        throw forbidden("You may not make a namespace that belongs to another project.");
      const made = await repository.create({ ...attributes, ...contents });
      return whole(made);
    },

    async show(caller, name, resourceType) {
      const namespace = await foundNamespace(deps, caller, name);
      for (const rule of ["namespace", "objects", "properties", "tags"])
        requireAllowed(deps, `get_metadef_${rule}`, caller, namespace);
      requireAllowed(deps, "list_metadef_resource_types", caller, namespace);
      const all = await whole(namespace);
      const prefix = all.associations.find((one) => one.name === resourceType)?.prefix;
      return prefix ? withPrefix(all, prefix) : all;
    },

    async update(caller, name, body) {
      const document = namespaceDocument(body);
      const namespace = await foundNamespace(deps, caller, name);
      requireChangeable(deps, "modify_metadef_namespace", caller, namespace);
      const updated = await repository.update(namespace.id, attributesOf(document, caller));
      if (!updated) throw notFound("namespace", name);
      return updated;
    },

    async remove(caller, name) {
      const namespace = await foundNamespace(deps, caller, name);
      requireRemovable(deps, ["delete_metadef_namespace"], caller, namespace);
      if (!(await repository.remove(namespace.id))) throw notFound("namespace", name);
    },
  };
}

/** Throws metadefs.forbidden where it would be nobody's. */
function attributesOf({ contents, ...given }: NamespaceDocument, caller: Caller): NamespaceAttributes {
  const owner = given.owner ?? caller.projectId ?? (caller.isAdmin ? defaultOwner : null);
  if (owner === null) throw forbidden("You may not make a namespace without a project that it belongs to.");
  return { ...given, visibility: given.visibility ?? "private", protected: given.protected ?? false, owner };
}
