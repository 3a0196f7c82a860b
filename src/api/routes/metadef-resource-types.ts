// /v2/metadefs/resource_types, and which of them a namespace is for.
import type { Answer } from "../answer.ts";
import { associationView, resourceTypeView } from "../metadef-view.ts";
import { type ApiRequest, jsonAnswer, noContent, type Route, type RouteDeps } from "../route.ts";

const ofNamespace = "/metadefs/namespaces/:namespace/resource_types";
export const metadefResourceTypeRoutes: readonly Route[] = [
  { method: "GET", path: "/metadefs/resource_types", body: "refused", handle: listTypes },
  { method: "GET", path: ofNamespace, body: "refused", handle: list },
  { method: "POST", path: ofNamespace, body: "json", handle: associate },
  { method: "DELETE", path: `${ofNamespace}/:resourceType`, body: "refused", handle: dissociate },
];

async function listTypes(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const types = await services.metadefs.resourceTypes.listTypes(request.caller);
  return jsonAnswer(200, JSON.stringify({ resource_types: types.map(resourceTypeView) }));
}

async function list(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const found = await services.metadefs.resourceTypes.list(request.caller, request.param("namespace"));
  return jsonAnswer(200, JSON.stringify({ resource_type_associations: found.map(associationView) }));
}

async function associate(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const body = await request.exactJson();
  const made = await services.metadefs.resourceTypes.associate(request.caller, request.param("namespace"), body);
  return jsonAnswer(201, JSON.stringify(associationView(made)));
}

async function dissociate(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const { caller } = request;
  await services.metadefs.resourceTypes.dissociate(caller, request.param("namespace"), request.param("resourceType"));
  return noContent;
}
