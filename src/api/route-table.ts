// All routes below /v2, and which methods a path has.
import type { Route, RouteChoice } from "./route.ts";
import { actionRoutes } from "./routes/actions.ts";
import { cacheRoutes } from "./routes/cache.ts";
import { imageFileRoutes } from "./routes/image-file.ts";
import { imageRoutes } from "./routes/images.ts";
import { importRoutes } from "./routes/import.ts";
import { locationRoutes } from "./routes/locations.ts";
import { memberRoutes } from "./routes/members.ts";
import { metadefNamespaceRoutes } from "./routes/metadef-namespaces.ts";
import { metadefPartRoutes } from "./routes/metadef-parts.ts";
import { metadefResourceTypeRoutes } from "./routes/metadef-resource-types.ts";
import { resumableRoutes } from "./routes/resumable.ts";
import { schemaRoutes } from "./routes/schemas.ts";
import { storeRoutes } from "./routes/stores.ts";
import { tagRoutes } from "./routes/tags.ts";
import { taskRoutes } from "./routes/tasks.ts";
import { usageRoutes } from "./routes/usage.ts";

export function routesOf(choice: RouteChoice): readonly Route[] {
  return [
    ...imageRoutes,
    ...imageFileRoutes,
    ...resumableRoutes(choice),
    ...memberRoutes,
    ...tagRoutes,
    ...locationRoutes(choice),
    ...actionRoutes,
    ...metadefNamespaceRoutes,
    ...metadefPartRoutes,
    ...metadefResourceTypeRoutes,
    ...taskRoutes(choice),
    ...importRoutes(choice),
    ...storeRoutes(choice),
    ...schemaRoutes(choice),
    ...cacheRoutes(choice),
    ...usageRoutes(choice),
  ];
}

export function pathsOf(routes: readonly Route[]): readonly string[] {
  return [...new Set(routes.map((route) => route.path))];
}

/** The value of Allow. */
export function allowedMethods(routes: readonly Route[], path: string): string {
  return routes
    .filter((route) => route.path === path)
    .map((route) => route.method)
    .join(", ");
}

/** The route path that a URL below /v2 belongs to. Only for requests the router never sees. */
export function pathOfUrl(routes: readonly Route[], url: string): string | undefined {
  const parts = url.split(/[?#]/)[0]?.split("/") ?? [];
  return pathsOf(routes).find((path) => {
    const pattern = `/v2${path}`.split("/");
    return (
      pattern.length === parts.length &&
      pattern.every((part, at) => part === parts[at] || (part.startsWith(":") && parts[at] !== ""))
    );
  });
}
