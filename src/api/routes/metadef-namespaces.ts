// /v2/metadefs/namespaces and /v2/metadefs/namespaces/{namespace}.
import type { Answer } from "../answer.ts";
import { pageLinks } from "../list-links.ts";
import { parseNamespaceQuery } from "../metadef-query.ts";
import { namespacePath, namespaceView } from "../metadef-view.ts";
import { type ApiRequest, jsonAnswer, jsonHeaders, noContent, type Route, type RouteDeps } from "../route.ts";

const one = "/metadefs/namespaces/:namespace";
export const metadefNamespaceRoutes: readonly Route[] = [
  { method: "GET", path: "/metadefs/namespaces", body: "ignored", handle: list },
  { method: "POST", path: "/metadefs/namespaces", body: "json", handle: create },
  { method: "GET", path: one, body: "refused", handle: show },
  { method: "PUT", path: one, body: "json", handle: update },
  { method: "DELETE", path: one, body: "refused", handle: remove },
];

async function list(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const query = request.query();
  const page = await services.metadefs.namespaces.list(request.caller, parseNamespaceQuery(query));
  const { first, next } = pageLinks("/v2/metadefs/namespaces", query, page.nextMarker);
  const view = {
    namespaces: page.namespaces.map(namespaceView),
    ...(next === null ? {} : { next }),
    schema: "/v2/schemas/metadefs/namespaces",
    first,
  };
  return jsonAnswer(200, JSON.stringify(view));
}

async function create(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const namespace = await services.metadefs.namespaces.create(request.caller, await request.exactJson());
  const location = `${request.baseUrl()}${namespacePath(namespace.namespace)}`;
  return jsonAnswer(201, JSON.stringify(namespaceView(namespace)), { ...jsonHeaders, location });
}

async function show(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const resourceType = new Map(request.query()).get("resource_type") || null;
  const namespace = await services.metadefs.namespaces.show(request.caller, request.param("namespace"), resourceType);
  return jsonAnswer(200, JSON.stringify(namespaceView(namespace)));
}

async function update(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const body = await request.exactJson();
  const namespace = await services.metadefs.namespaces.update(request.caller, request.param("namespace"), body);
  return jsonAnswer(200, JSON.stringify(namespaceView(namespace)));
}

async function remove(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  await services.metadefs.namespaces.remove(request.caller, request.param("namespace"));
  return noContent;
}
