// /v2/schemas/{name}: made once per service, sent as they are.

import { metadefSchemas } from "../../metadefs/schemas.ts";
import { jsonAnswer, type Route, type RouteChoice } from "../route.ts";
import { createSchemas, type SchemaName } from "../schemas.ts";

export function schemaRoutes(deps: Pick<RouteChoice, "capabilities" | "images">): readonly Route[] {
  const schemas = createSchemas(deps.capabilities, deps.images);
  return [
    ...(Object.keys(schemas) as SchemaName[]).map((name) => schemaRoute(name, schemas[name])),
    ...Object.entries(metadefSchemas).map(([name, schema]) => schemaRoute(`metadefs/${name}`, JSON.stringify(schema))),
  ];
}

function schemaRoute(name: string, document: string): Route {
  return { method: "GET", path: `/schemas/${name}`, body: "refused", handle: async () => jsonAnswer(200, document) };
}
