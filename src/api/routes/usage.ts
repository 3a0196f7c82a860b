// GET /v2/info/usage: what the caller's project has, and may have.
import { jsonAnswer, type Route, type RouteChoice } from "../route.ts";

/** Only where the release has it. */
export function usageRoutes({ capabilities }: Pick<RouteChoice, "capabilities">): readonly Route[] {
  if (!capabilities.usageInfo) return [];
  return [
    {
      method: "GET",
      path: "/info/usage",
      body: "refused",
      handle: async ({ caller }, { services }) =>
        jsonAnswer(200, JSON.stringify({ usage: await services.images.usage(caller) })),
    },
  ];
}
