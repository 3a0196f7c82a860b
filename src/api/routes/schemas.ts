// /v2/schemas/{name}: made once per service, sent as they are.

import { jsonAnswer, type Route, type RouteDeps } from "../route.ts";
import { createSchemas, type SchemaName } from "../schemas.ts";

export function schemaRoutes(deps: Pick<RouteDeps, "capabilities" | "images">): readonly Route[] {
  const schemas = createSchemas(deps.capabilities, deps.images);
  return (Object.keys(schemas) as SchemaName[]).map((name) => ({
    method: "GET",
    path: `/schemas/${name}`,
    body: "refused",
    handle: async () => jsonAnswer(200, schemas[name]),
  }));
}
