// The pipelines of a deployment without a paste file, as the reference installs them.
import type { Filter, FilterKind } from "./filter.ts";

const callers: Readonly<Record<string, readonly FilterKind[]>> = {
  none: ["unauthenticated-context"],
  keystone: ["authtoken", "context"],
  "trusted-auth": ["context"],
  fakeauth: ["fakeauth", "context"],
};

const caches: Readonly<Record<string, readonly FilterKind[]>> = {
  caching: ["cache"],
  cachemanagement: ["cache", "cache-management"],
};

const pipelines = new Map<string, readonly FilterKind[]>();
for (const [name, kinds] of Object.entries(callers)) {
  pipelines.set(name, kinds);
  for (const [cache, cacheKinds] of Object.entries(caches))
    pipelines.set(name === "none" ? cache : `${name}+${cache}`, [...kinds, ...cacheKinds]);
}

export const builtInFlavors: readonly string[] = [...pipelines.keys()];

/** undefined for what is no flavor. */
export function builtInFilters(flavor: string): readonly Filter[] | undefined {
  const kinds = pipelines.get(flavor);
  const before = ["cors", "healthcheck", "proxy-headers"] as const;
  return kinds && [...before, ...kinds].map((kind) => ({ name: kind, kind, options: {} }));
}
