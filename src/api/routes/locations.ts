// /v2/images/{id}/locations, which came with 2024.2.
import type { Answer } from "../answer.ts";
import { type ApiRequest, jsonAnswer, type Route, type RouteDeps } from "../route.ts";

export function locationRoutes({ capabilities }: Pick<RouteDeps, "capabilities">): readonly Route[] {
  if (!capabilities.locationsApi) return [];
  return [
    { method: "GET", path: "/images/:imageId/locations", body: "refused", handle: list },
    { method: "POST", path: "/images/:imageId/locations", body: "json", handle: add },
  ];
}

async function list(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const locations = await services.locations.list(request.caller, request.param("imageId"));
  return jsonAnswer(200, JSON.stringify(locations.map(({ url, metadata }) => ({ url, metadata }))));
}

async function add(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  await services.locations.add(request.caller, request.param("imageId"), await request.json());
  return { status: 202 };
}
