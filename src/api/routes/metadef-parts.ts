// /v2/metadefs/namespaces/{namespace}/objects, properties and tags, and one of them.
import type { MetadefObject, MetadefProperty, MetadefTag } from "../../metadefs/metadef.ts";
import type { MetadefServices, PartService } from "../../metadefs/services.ts";
import type { Answer } from "../answer.ts";
import { checkObjectQuery, parseTagQuery } from "../metadef-query.ts";
import { objectView, propertiesView, propertyView, tagView } from "../metadef-view.ts";
import { type ApiRequest, jsonAnswer, noContent, type Route, type RouteDeps } from "../route.ts";

type Handler = Route["handle"];
type Handlers = Readonly<Record<"list" | "create" | "clear" | "show" | "update" | "remove", Handler>>;

const answer = (status: number, view: unknown) => jsonAnswer(status, JSON.stringify(view));
const namespaceOf = (request: ApiRequest) => request.param("namespace");

/** What all three kinds do alike. `view`: one part as its answer. */
function handlersOf<Part>(
  partsOf: (services: MetadefServices) => Pick<PartService<Part>, "show" | "update" | "remove" | "clear">,
  param: string,
  view: (namespace: string, part: Part) => unknown,
): Pick<Handlers, "clear" | "show" | "update" | "remove"> {
  const parts = ({ services }: RouteDeps) => partsOf(services.metadefs);
  return {
    async clear(request, deps) {
      await parts(deps).clear(request.caller, namespaceOf(request));
      return noContent;
    },
    async show(request, deps) {
      const namespace = namespaceOf(request);
      const part = await parts(deps).show(request.caller, namespace, request.param(param));
      return answer(200, view(namespace, part));
    },
    async update(request, deps) {
      const body = await request.exactJson();
      const namespace = namespaceOf(request);
      const part = await parts(deps).update(request.caller, namespace, request.param(param), body);
      return answer(200, view(namespace, part));
    },
    async remove(request, deps) {
      await parts(deps).remove(request.caller, namespaceOf(request), request.param(param));
      return noContent;
    },
  };
}

const objects: Handlers = {
  ...handlersOf<MetadefObject>((services) => services.objects, "object", objectView),
  async list(request, { services }) {
    checkObjectQuery(request.query());
    const namespace = namespaceOf(request);
    const found = await services.metadefs.objects.list(request.caller, namespace);
    // Without a leading slash, as the reference writes it.
    return answer(200, {
      objects: found.map((object) => objectView(namespace, object)),
      schema: "v2/schemas/metadefs/objects",
    });
  },
  async create(request, { services }) {
    const body = await request.exactJson();
    const namespace = namespaceOf(request);
    return answer(201, objectView(namespace, await services.metadefs.objects.create(request.caller, namespace, body)));
  },
};

const byName = handlersOf<MetadefProperty>(
  (services) => services.properties,
  "property",
  (_, one) => propertyView(one),
);
const properties: Handlers = {
  ...byName,
  async list(request, { services }) {
    const found = await services.metadefs.properties.list(request.caller, namespaceOf(request));
    return answer(200, { properties: propertiesView(found) });
  },
  async create(request, { services }) {
    const body = await request.exactJson();
    return answer(
      201,
      propertyView(await services.metadefs.properties.create(request.caller, namespaceOf(request), body)),
    );
  },
  async show(request, deps): Promise<Answer> {
    const resourceType = new Map(request.query()).get("resource_type");
    if (!resourceType) return byName.show(request, deps);
    const { properties: service } = deps.services.metadefs;
    const name = request.param("property");
    return answer(200, propertyView(await service.showFor(request.caller, namespaceOf(request), name, resourceType)));
  },
};

/** As Python reads a flag. */
const yes = /^\s*(1|t|true|on|y|yes)\s*$/i;

const tags: Handlers & { readonly createOne: Handler } = {
  ...handlersOf<MetadefTag>(
    (services) => services.tags,
    "tag",
    (_, one) => tagView(one),
  ),
  async list(request, { services }) {
    const found = await services.metadefs.tags.list(
      request.caller,
      namespaceOf(request),
      parseTagQuery(request.query()),
    );
    return answer(200, { tags: found.map(({ name }) => ({ name })) });
  },
  async create(request, { services }) {
    const body = await request.exactJson();
    const append = yes.test(request.header("x-openstack-append") ?? "");
    const names = await services.metadefs.tags.setAll(request.caller, namespaceOf(request), body, append);
    return answer(201, { tags: names.map((name) => ({ name })) });
  },
  async createOne(request, { services }) {
    const tag = await services.metadefs.tags.create(request.caller, namespaceOf(request), request.param("tag"));
    return answer(201, tagView(tag));
  },
};

const all = "/metadefs/namespaces/:namespace";

function routesOf(kind: string, param: string, handlers: Handlers): readonly Route[] {
  const path = `${all}/${kind}`;
  return [
    { method: "GET", path, body: "ignored", handle: handlers.list },
    { method: "POST", path, body: "json", handle: handlers.create },
    { method: "DELETE", path, body: "ignored", handle: handlers.clear },
    { method: "GET", path: `${path}/:${param}`, body: "refused", handle: handlers.show },
    { method: "PUT", path: `${path}/:${param}`, body: "json", handle: handlers.update },
    { method: "DELETE", path: `${path}/:${param}`, body: "refused", handle: handlers.remove },
  ];
}

export const metadefPartRoutes: readonly Route[] = [
  ...routesOf("objects", "object", objects),
  ...routesOf("properties", "property", properties),
  ...routesOf("tags", "tag", tags),
  { method: "POST", path: `${all}/tags/:tag`, body: "refused", handle: tags.createOne },
];
