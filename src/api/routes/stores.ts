// /v2/info/stores, with or without details, and /v2/stores/{store}/{image}: where an image's data can lie, and taking it away from there.
import type { StoreDetail, StoreFacts } from "../../images/services.ts";
import type { Answer } from "../answer.ts";
import { type ApiRequest, jsonAnswer, noContent, type Route, type RouteDeps } from "../route.ts";

/** Only what the release has: a path it does not know is unknown, whatever is configured. */
export function storeRoutes({ capabilities }: Pick<RouteDeps, "capabilities">): readonly Route[] {
  const { stores, locationStoreKey } = capabilities;
  const routes: Route[] = [];
  if (locationStoreKey !== null) routes.push({ method: "GET", path: "/info/stores", body: "refused", handle: list });
  if (stores.detail !== null)
    routes.push({ method: "GET", path: "/info/stores/detail", body: "refused", handle: detail });
  if (stores.removal)
    routes.push({ method: "DELETE", path: "/stores/:storeId/:imageId", body: "refused", handle: removeImage });
  return routes;
}

async function list(_request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  return jsonAnswer(200, JSON.stringify({ stores: services.stores.list().map(factsJson) }));
}

async function detail(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  return jsonAnswer(200, JSON.stringify({ stores: services.stores.detail(request.caller).map(detailJson) }));
}

async function removeImage(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  await services.stores.removeImage(request.caller, request.param("storeId"), request.param("imageId"));
  return noContent;
}

/** Flags are strings, and there only where they are true. */
function factsJson({ id, description, isDefault, readOnly }: StoreFacts) {
  return {
    id,
    ...(description === null ? {} : { description }),
    ...(isDefault ? { default: "true" } : {}),
    ...(readOnly ? { "read-only": "true" } : {}),
  };
}

function detailJson(store: StoreDetail) {
  return {
    ...factsJson(store),
    type: store.type,
    ...(store.weight === null ? {} : { weight: store.weight }),
    ...(store.properties === null ? {} : { properties: store.properties }),
  };
}
