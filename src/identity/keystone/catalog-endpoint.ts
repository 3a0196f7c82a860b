// Where another service is, such as the image service of another region: what the catalog says that comes with a caller's own token.
import { ServiceError } from "../../core/errors.ts";
import { unavailable } from "./keystone-client.ts";
import type { ServiceSession } from "./service-session.ts";

export type EndpointQuestion = {
  /** The caller's. */
  readonly token: string;
  /** As catalogs name it, such as `image`. */
  readonly serviceType: string;
  /** Whatever its case; null: the first of any. */
  readonly region: string | null;
  /** `public`, `internal` or `admin`. */
  readonly serviceInterface: string;
};

type Endpoint = {
  readonly interface?: unknown;
  readonly region_id?: unknown;
  readonly region?: unknown;
  readonly url?: unknown;
};
type Service = { readonly type?: unknown; readonly endpoints?: unknown };

const path = "/auth/catalog";

/**
 * The URL of the service, without a slash at its end; null where the caller's catalog has none there.
 * Throws identity.unauthenticated where Keystone refuses the token, identity.unavailable.
 */
export async function catalogEndpoint(
  session: ServiceSession,
  { token, serviceType, region, serviceInterface }: EndpointQuestion,
): Promise<string | null> {
  const { status, body } = await session.callAs(token, path);
  if (status === 401 || status === 404)
    throw new ServiceError("identity.unauthenticated", "The token does not count any more, or is for no project.");
  const catalog = (body as { catalog?: unknown } | undefined)?.catalog;
  if (status !== 200 || !Array.isArray(catalog))
    throw unavailable({ method: "GET", url: path }, `its answer (${status}) is no catalog`);
  const endpoints = (catalog as readonly Service[])
    .filter(({ type }) => type === serviceType)
    .flatMap((service) => (Array.isArray(service.endpoints) ? (service.endpoints as readonly Endpoint[]) : []));
  const found = endpoints.find(
    (one) => one.interface === serviceInterface && [one.region_id, one.region].some((name) => isRegion(name, region)),
  );
  return typeof found?.url === "string" ? found.url.replace(/\/+$/, "") : null;
}

function isRegion(name: unknown, region: string | null): boolean {
  if (region === null) return true;
  return typeof name === "string" && name.toLowerCase() === region.toLowerCase();
}
