// /v2/images and /v2/images/{id}: create, list, show, change, remove.

import { isServiceError, ServiceError } from "../../core/errors.ts";
import type { Answer } from "../answer.ts";
import { imageJson, pageJson } from "../image-view.ts";
import { pageLinks } from "../list-links.ts";
import { parseListQuery } from "../list-query.ts";
import { askOtherNode, onwardOf, stageHostOf } from "../other-node.ts";
import { parsePatch, patchFormOf } from "../patch-document.ts";
import { type ApiRequest, jsonAnswer, jsonHeaders, noContent, type Route, type RouteDeps } from "../route.ts";
import { importMethodsHeader } from "./import.ts";

export const imageRoutes: readonly Route[] = [
  { method: "GET", path: "/images", body: "ignored", handle: list },
  { method: "POST", path: "/images", body: "json", handle: create },
  { method: "GET", path: "/images/:imageId", body: "refused", handle: show },
  { method: "PATCH", path: "/images/:imageId", body: "json", handle: update },
  { method: "DELETE", path: "/images/:imageId", body: "refused", handle: remove },
];

async function list(request: ApiRequest, deps: RouteDeps): Promise<Answer> {
  const query = request.query();
  const page = await deps.services.images.list(request.caller, parseListQuery(query, deps.capabilities));
  return jsonAnswer(200, pageJson(page, pageLinks("/v2/images", query, page.nextMarker), deps.view));
}

async function create(request: ApiRequest, deps: RouteDeps): Promise<Answer> {
  const attributes = await request.json();
  if (Array.isArray(attributes)) throw new ServiceError("api.bad_request", "An image is a JSON object, not a list.");
  const image = await deps.services.images.create(request.caller, attributes as Record<string, unknown>);
  return jsonAnswer(201, imageJson(image, deps.view), {
    ...jsonHeaders,
    location: `${request.baseUrl()}/v2/images/${image.id}`,
    ...importMethodsHeader(deps),
    ...storeIdsHeader(deps),
  });
}

/** Where the data of a new image may go. */
function storeIdsHeader({ services }: RouteDeps): Record<string, string> {
  const { ids } = services.stores;
  return ids.length > 0 ? { "openstack-image-store-ids": ids.join(",") } : {};
}

async function show(request: ApiRequest, deps: RouteDeps): Promise<Answer> {
  const image = await deps.services.images.show(request.caller, request.param("imageId"));
  return jsonAnswer(200, imageJson(image, deps.view));
}

async function update(request: ApiRequest, deps: RouteDeps): Promise<Answer> {
  const form = patchFormOf(request.header("content-type"));
  const patch = parsePatch(form, await request.json());
  const image = await deps.services.images.update(request.caller, request.param("imageId"), patch);
  return jsonAnswer(200, imageJson(image, deps.view));
}

async function remove(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const imageId = request.param("imageId");
  try {
    const onward = onwardOf(request);
    await services.images.remove(request.caller, imageId, { token: request.header("x-auth-token"), onward });
    return noContent;
  } catch (error) {
    const host = stageHostOf(error);
    if (host === undefined) throw error;
    return removeElsewhere(request, services, host);
  }
}

/** By the node that has the staged data; where that one is gone, without it. */
async function removeElsewhere(request: ApiRequest, services: RouteDeps["services"], host: string): Promise<Answer> {
  const imageId = request.param("imageId");
  try {
    return await askOtherNode(request, host, { method: "DELETE", path: `/v2/images/${imageId}` });
  } catch (error) {
    if (!isServiceError(error, "api.other_node_failed")) throw error;
    const token = request.header("x-auth-token");
    await services.images.remove(request.caller, imageId, { staged: "left", token });
    return noContent;
  }
}
