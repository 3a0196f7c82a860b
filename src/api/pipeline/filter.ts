// One filter of a pipeline, and how the filters are told apart: by the program their section names, since sections may be called anything.

export type FilterKind =
  | "cors"
  | "healthcheck"
  | "gzip"
  | "proxy-headers"
  | "cache"
  | "cache-management"
  | "authtoken"
  | "context"
  | "unauthenticated-context"
  | "fakeauth"
  /** Known, and nothing to turn on: done always, or without any effect until another option asks for it. */
  | "idle"
  | "unknown";

/** Names with `_` for `-`. */
export type FilterOptions = Readonly<Record<string, string>>;

export type Filter = { readonly name: string; readonly kind: FilterKind; readonly options: FilterOptions };

const kindByFactory: readonly (readonly [RegExp, FilterKind])[] = [
  [/^oslo[._]middleware(\.cors:|:CORS\b|#cors$)/, "cors"],
  [/^oslo[._]middleware(\.healthcheck:|:Healthcheck\b|#healthcheck$)/, "healthcheck"],
  [/^oslo[._]middleware(\.http_proxy_to_wsgi:|:HTTPProxyToWSGI\b|#http_proxy_to_wsgi$)/, "proxy-headers"],
  [/^oslo[._]middleware(\.request_id:|:RequestId\b|#request_id$)/, "idle"],
  [/^osprofiler[.:#]/, "idle"],
  [/^keystonemiddleware(\.auth_token:|#auth_token$)/, "authtoken"],
  [/^keystoneclient\.middleware\.auth_token:/, "authtoken"],
  [/^glance\.api\.middleware\.version_negotiation:/, "idle"],
  [/^glance\.api\.middleware\.cache:/, "cache"],
  [/^glance\.api\.middleware\.cache_manage:/, "cache-management"],
  [/^glance\.api\.middleware\.context:UnauthenticatedContext/, "unauthenticated-context"],
  [/^glance\.api\.middleware\.context:Context/, "context"],
  [/^glance\.api\.middleware\.gzip:/, "gzip"],
  [/:FakeAuthMiddleware\b/, "fakeauth"],
];

/** `factory`: the value of `paste.filter_factory` or `use`, such as `oslo_middleware.cors:filter_factory` or `egg:oslo.middleware#cors`. */
export function filterKindOf(factory: string): FilterKind {
  const program = factory.replace(/^(egg|call):/, "");
  return kindByFactory.find(([pattern]) => pattern.test(program))?.[1] ?? "unknown";
}
