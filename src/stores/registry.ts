// Finds the store that a location's URL belongs to. New data always goes to the default store; locations may be in any.
import { ServiceError } from "../core/errors.ts";
import type { Store } from "./store.ts";

export interface StoreRegistry {
  /** Throws stores.unavailable where no store of this node has the URL's scheme. */
  forUrl(url: string): Store;
}

export function createStoreRegistry(stores: readonly Store[]): StoreRegistry {
  const byScheme = new Map(
    stores.flatMap((store) => store.properties.schemes.map((scheme) => [scheme, store] as const)),
  );
  return {
    forUrl(url) {
      const scheme = url.slice(0, Math.max(0, url.indexOf(":"))).toLowerCase();
      const store = byScheme.get(scheme);
      if (store) return store;
      throw new ServiceError("stores.unavailable", `No store of this node reads ${scheme || "such"} locations.`, {
        facts: { scheme },
      });
    },
  };
}
