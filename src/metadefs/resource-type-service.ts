// Types of resources, and which namespaces are meant for them.
import {
  type AccessDeps,
  foundNamespace,
  isAllowed,
  requireAllowed,
  requireChangeable,
  requireRemovable,
} from "./access.ts";
import { associationDocument, isName } from "./documents.ts";
import { notFound } from "./failures.ts";
import type { ResourceTypeService } from "./services.ts";

export function createResourceTypeService(deps: AccessDeps): ResourceTypeService {
  const { associations } = deps.repository;
  return {
    async listTypes(caller) {
      requireAllowed(deps, "list_metadef_resource_types", caller, null);
      return deps.repository.resourceTypes();
    },

    async list(caller, name) {
      const namespace = await foundNamespace(deps, caller, name);
      requireAllowed(deps, "list_metadef_resource_types", caller, namespace);
      if (deps.traits.filtersLists && !isAllowed(deps, "get_metadef_resource_type", caller, namespace)) return [];
      return associations.list(namespace.id);
    },

    async associate(caller, name, body) {
      const draft = associationDocument(body);
      const namespace = await foundNamespace(deps, caller, name);
      requireChangeable(deps, "add_metadef_resource_type_association", caller, namespace);
      return associations.add(namespace.id, draft);
    },

    async dissociate(caller, name, resourceType) {
      const namespace = await foundNamespace(deps, caller, name);
      requireRemovable(deps, ["remove_metadef_resource_type_association"], caller, namespace);
      if (!isName(resourceType) || !(await associations.remove(namespace.id, resourceType)))
        throw notFound("resource type", resourceType);
    },
  };
}
