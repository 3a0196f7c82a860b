// /v2/images/{id}/actions/...: what keeps an image's data from being read, and gives it free again.
import type { Answer } from "../answer.ts";
import { type ApiRequest, noContent, type Route, type RouteDeps } from "../route.ts";

export const actionRoutes: readonly Route[] = [
  { method: "POST", path: "/images/:imageId/actions/deactivate", body: "refused", handle: deactivate },
  { method: "POST", path: "/images/:imageId/actions/reactivate", body: "refused", handle: reactivate },
];

async function deactivate(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  await services.images.deactivate(request.caller, request.param("imageId"));
  return noContent;
}

async function reactivate(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  await services.images.reactivate(request.caller, request.param("imageId"));
  return noContent;
}
