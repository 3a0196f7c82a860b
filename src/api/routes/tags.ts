// /v2/images/{id}/tags/{tag}: tags, one by one, without bodies.
import type { Answer } from "../answer.ts";
import { type ApiRequest, noContent, type Route, type RouteDeps } from "../route.ts";

export const tagRoutes: readonly Route[] = [
  { method: "PUT", path: "/images/:imageId/tags/:tag", body: "refused", handle: addTag },
  { method: "DELETE", path: "/images/:imageId/tags/:tag", body: "refused", handle: removeTag },
];

async function addTag(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  await services.images.addTag(request.caller, request.param("imageId"), request.param("tag"));
  return noContent;
}

async function removeTag(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  await services.images.removeTag(request.caller, request.param("imageId"), request.param("tag"));
  return noContent;
}
