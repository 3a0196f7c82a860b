// Staging and import: PUT /v2/images/{id}/stage, POST /v2/images/{id}/import, GET /v2/info/import.
import { ServiceError } from "../../core/errors.ts";
import type { Answer } from "../answer.ts";
import { dataOf } from "../image-data-body.ts";
import { importBody, parseImport } from "../import-body.ts";
import { askOtherNode, stageHostOf } from "../other-node.ts";
import { type ApiRequest, jsonAnswer, noContent, type Route, type RouteChoice, type RouteDeps } from "../route.ts";

/** Where the release has no import, or the operator turned it off, the paths do not exist. */
export function importRoutes({
  services,
  capabilities,
}: Pick<RouteChoice, "services" | "capabilities">): readonly Route[] {
  if (!capabilities.importing || (capabilities.importSwitch !== null && services.imports.methods.length === 0))
    return [];
  return [
    { method: "GET", path: "/info/import", body: "refused", handle: info },
    { method: "PUT", path: "/images/:imageId/stage", body: "stream", handle: stage },
    { method: "POST", path: "/images/:imageId/import", body: "json", handle: start },
  ];
}

/** What a new image may be imported by; no header where there is no way. */
export function importMethodsHeader({ services }: Pick<RouteDeps, "services">): Record<string, string> {
  const { methods } = services.imports;
  return methods.length > 0 ? { "openstack-image-import-methods": methods.join(",") } : {};
}

async function info(_request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const methods = { description: "Import methods available.", type: "array", value: services.imports.methods };
  return jsonAnswer(200, JSON.stringify({ "import-methods": methods }));
}

async function stage(request: ApiRequest, { services, capabilities }: RouteDeps): Promise<Answer> {
  if (!services.imports.methods.includes("glance-direct"))
    throw new ServiceError("api.unknown_path", "Staging is not enabled: the import method glance-direct is off.");
  const { source, announcedBytes } = dataOf(request, capabilities);
  const options = { signal: request.signal(), announcedBytes };
  await services.imports.stage(request.caller, request.param("imageId"), source, options);
  return noContent;
}

async function start(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const wanted = parseImport(await request.json(), {
    storeHeader: request.header("x-image-meta-store"),
    token: request.header("x-auth-token"),
  });
  const imageId = request.param("imageId");
  try {
    await services.imports.start(request.caller, imageId, wanted);
    return { status: 202 };
  } catch (error) {
    const host = stageHostOf(error);
    if (host === undefined) throw error;
    const path = `/v2/images/${imageId}/import`;
    return askOtherNode(request, host, { method: "POST", path, body: importBody(wanted) });
  }
}
