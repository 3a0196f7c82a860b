// Finds the store that a location's URL belongs to. New data always goes to the default store; locations may be in any.
import type { Store } from "./store.ts";

export interface StoreRegistry {
  /** undefined where no store of this node has the URL's scheme. */
  forUrl(url: string): Store | undefined;
}

/** Where two stores share a scheme, the first one given is asked. */
export function createStoreRegistry(stores: readonly Store[]): StoreRegistry {
  const byScheme = new Map(
    stores.toReversed().flatMap((store) => store.properties.schemes.map((scheme) => [scheme, store] as const)),
  );
  return { forUrl: (url) => byScheme.get(url.slice(0, Math.max(0, url.indexOf(":"))).toLowerCase()) };
}
