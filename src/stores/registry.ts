// The stores of this node: which one new data goes to, and which one a location means.
import type { Store } from "./store.ts";

export type NamedStore = {
  /** As operators and clients call it; without enabled_backends the kind of store. */
  readonly id: string;
  /** Kind of store, as in enabled_backends. */
  readonly type: string;
  readonly description: string | null;
  /** Greater is tried first. */
  readonly weight: number;
  readonly store: Store;
};

/** A location as far as finding its store goes. */
export type PlacedData = { readonly url: string; readonly metadata: Readonly<Record<string, unknown>> };

export interface StoreRegistry {
  /** Several stores are configured by name (enabled_backends), one or more; else there is one that is written to, and nobody names it. */
  readonly multiStore: boolean;
  /** In the order of the configuration. */
  readonly stores: readonly NamedStore[];
  /** Where data goes whose client names no store. */
  readonly defaultStore: NamedStore;
  named(id: string): NamedStore | undefined;
  /** The id that a location's metadata gives, where this node has such a store. */
  idIn(metadata: PlacedData["metadata"]): string | undefined;
  /** The store a location names, else the one its URL is of; undefined where this node has none that could read it. */
  of(location: PlacedData): NamedStore | undefined;
  /** The id that a location's metadata gives of a store that this node has not, and whose URL begins like those of none of ours. */
  storeElsewhere(location: PlacedData): string | undefined;
  /** The store whose URLs begin like this one; undefined where none surely is. */
  ownerOf(url: string): NamedStore | undefined;
  /** The store for a URL alone, as leases hold it: its owner, else the first of its scheme. */
  forUrl(url: string): NamedStore | undefined;
  /** The order in which locations are tried: greater weight first, else as they are given. */
  inOrder<T extends PlacedData>(locations: readonly T[]): readonly T[];
  /** What a location notes about the store its data was put into. */
  metadataFor(store: NamedStore): Readonly<Record<string, string>>;
}

export type RegistryOptions = {
  readonly stores: readonly NamedStore[];
  readonly defaultId: string;
  /** The key under which locations of this release name their store; null: there are no several stores. */
  readonly key: "backend" | "store" | null;
  readonly weighed: boolean;
};

/** Rocky and Stein write the one, later releases the other; beside each other, nodes read both. */
export const storeKeys = ["store", "backend"] as const;

export function createStoreRegistry({ stores, defaultId, key, weighed }: RegistryOptions): StoreRegistry {
  const byId = new Map(stores.map((store) => [store.id, store]));
  const defaultStore = byId.get(defaultId);
  if (!defaultStore) throw new Error(`the default store ${defaultId} is none of the stores`);
  const sameWeight = !weighed || stores.every(({ weight }) => weight === stores[0]?.weight);

  const idIn = (metadata: PlacedData["metadata"]): string | undefined => {
    if (key === null) return undefined;
    return storeKeys.map((name) => metadata[name]).find((id): id is string => typeof id === "string" && byId.has(id));
  };
  const ownerOf = (url: string) => stores.find(({ store }) => store.owns(url));
  const forUrl = (url: string) =>
    ownerOf(url) ?? stores.find(({ store }) => store.properties.schemes.includes(schemeOf(url)));
  const of = ({ url, metadata }: PlacedData) => byId.get(idIn(metadata) ?? "") ?? forUrl(url);

  return {
    multiStore: key !== null,
    stores,
    defaultStore,
    named: (id) => byId.get(id),
    idIn,
    of,
    storeElsewhere({ url, metadata }) {
      if (idIn(metadata) !== undefined || ownerOf(url)) return undefined;
      // A node without several stores has none by any name. What its own can reach in other places is its own; for the rest others of its fleet have
      // the stores that they write to.
      if (key === null && !forUrl(url)?.store.properties.confined) return undefined;
      return storeKeys.map((name) => metadata[name]).find((id): id is string => typeof id === "string" && id !== "");
    },
    ownerOf,
    forUrl,
    inOrder(locations) {
      if (sameWeight || locations.length < 2) return locations;
      const weights = new Map(locations.map((location) => [location, of(location)?.weight ?? 0]));
      return locations.toSorted((one, other) => (weights.get(other) ?? 0) - (weights.get(one) ?? 0));
    },
    metadataFor: (store) => (key === null ? {} : { [key]: store.id }),
  };
}

/** A URL for logs and errors: without the keys of an account that old ones hold. A secret may hold slashes; the last `@` ends it. */
export function withoutSecrets(url: string): string {
  return url.replace(/:\/\/.*@/, "://");
}

/** Without its colon, lower-cased; empty where there is none. */
export function schemeOf(url: string): string {
  return url.slice(0, Math.max(0, url.indexOf(":"))).toLowerCase();
}
