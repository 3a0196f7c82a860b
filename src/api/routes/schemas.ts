// /v2/schemas/{name}: made once per service, sent as they are. In a fleet between two releases all nodes publish those of the newer one:
// clients take a schema from one node and hold the answer of another against it (glanceclient refuses it where it does not fit).

import { metadefSchemas } from "../../metadefs/schemas.ts";
import type { ReleaseId } from "../../releases/catalogue.ts";
import { jsonAnswer, type Route, type RouteChoice, type RouteDeps } from "../route.ts";
import { createSchemas, type SchemaName } from "../schemas.ts";

export function schemaRoutes(deps: Pick<RouteChoice, "capabilities" | "images">): readonly Route[] {
  const schemas = createSchemas(deps.capabilities, deps.images);
  const newer = new Map<ReleaseId, typeof schemas>();
  const published = async ({ release, described, images }: RouteDeps) => {
    const newest = (await described?.()) ?? release;
    if (newest.order <= release.order) return schemas;
    const made = newer.get(newest.id) ?? createSchemas(newest.capabilities, images);
    newer.set(newest.id, made);
    return made;
  };
  return [
    ...(Object.keys(schemas) as SchemaName[]).map((name) =>
      schemaRoute(name, async (routeDeps) => (await published(routeDeps))[name]),
    ),
    ...Object.entries(metadefSchemas).map(([name, schema]) => {
      const document = JSON.stringify(schema);
      return schemaRoute(`metadefs/${name}`, async () => document);
    }),
  ];
}

function schemaRoute(name: string, document: (deps: RouteDeps) => Promise<string>): Route {
  return {
    method: "GET",
    path: `/schemas/${name}`,
    body: "refused",
    handle: async (_request, deps) => jsonAnswer(200, await document(deps)),
  };
}
