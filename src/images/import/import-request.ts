// What a client asks for when it imports, and what of it can be judged without the image.
import { ServiceError } from "../../core/errors.ts";
import type { ImportMethod } from "../../releases/capabilities.ts";
import type { NamedStore, StoreRegistry } from "../../stores/registry.ts";
import { foreignData, isForeign } from "../foreign-data.ts";
import type { Image, ImageLocation } from "../image.ts";
import type { ImportTarget } from "./import-work.ts";

export type RequestedMethod =
  | { readonly name: "glance-direct" }
  | { readonly name: "web-download"; readonly uri: string }
  | {
      readonly name: "glance-download";
      readonly region: string;
      readonly imageId: string;
      readonly serviceInterface: string;
    }
  | { readonly name: "copy-image" };

/** Its form is checked, not more. */
export type ImportRequest = {
  readonly method: RequestedMethod;
  /** Ids of stores, in the client's order; null: it names none. */
  readonly storeIds: readonly string[] | null;
  /** The one store that the header names. */
  readonly headerStoreId: string | null;
  readonly allStores: boolean;
  readonly allMustSucceed: boolean;
  /** As the client sent it: the task keeps it. */
  readonly body: unknown;
  /** The caller's own, by which an image of another region and the certificate of a signed one are fetched. */
  readonly token?: string | undefined;
};

/** The status an image has to be in. */
export const statusNeeded = {
  "glance-direct": "uploading",
  "web-download": "queued",
  "glance-download": "queued",
  "copy-image": "active",
} as const satisfies Partial<Record<ImportMethod, string>>;

type TargetRules = { readonly stores: StoreRegistry; readonly several: boolean };

/**
 * The stores the data goes to; empty where there is nothing to copy. Without several stores it is the one there is, whatever the client says,
 * as in the reference. Throws images.invalid (contradictions, copies of what is there), images.status_conflict (no such store),
 * stores.foreign (nothing here to copy from).
 */
export function importTargets(image: Image, request: ImportRequest, rules: TargetRules): readonly ImportTarget[] {
  const { stores } = rules;
  if (!stores.multiStore) {
    if (request.method.name === "copy-image") throw invalid("copy-image needs several stores (enabled_backends)");
    return [{ id: null, store: stores.defaultStore.store, metadata: {} }];
  }
  const here = image.locations.filter((location) => !isForeign(stores, location));
  const holders = new Set(here.map((location) => stores.of(location)));
  const chosen = chosenStores(request, rules);
  if (request.method.name !== "copy-image") return chosen.map((named) => targetOf(named, stores));
  const [elsewhere] = image.locations;
  if (elsewhere && here.length === 0) throw foreignData(stores, elsewhere, "copied");
  const present = chosen.find((named) => holders.has(named));
  if (present && !request.allStores) throw invalid(`store ${present.id} has the data already`);
  return chosen.filter((named) => !holders.has(named)).map((named) => targetOf(named, stores));
}

function chosenStores(request: ImportRequest, { stores, several }: TargetRules): readonly NamedStore[] {
  const { headerStoreId } = request;
  const storeIds = several ? request.storeIds : null;
  const allStores = several && request.allStores;
  if (allStores && (storeIds !== null || headerStoreId !== null)) throw invalid("all_stores goes with no other choice");
  if (storeIds !== null && headerStoreId !== null) throw invalid("stores and X-Image-Meta-Store exclude each other");
  if (allStores) return stores.stores.filter(({ store }) => store.properties.writable);
  const ids = storeIds ?? (headerStoreId === null ? [] : [headerStoreId]);
  if (ids.length === 0) return [stores.defaultStore];
  return [...new Set(ids)].map((id) => {
    const named = stores.named(id);
    if (named?.store.properties.writable) return named;
    throw new ServiceError(
      "images.status_conflict",
      named ? `Store ${id} only gives data: choose another.` : `There is no store "${id.slice(0, 80)}".`,
    );
  });
}

function targetOf(named: NamedStore, stores: StoreRegistry): ImportTarget {
  const metadata: ImageLocation["metadata"] = stores.metadataFor(named);
  return { id: named.id, store: named.store, metadata };
}

function invalid(why: string): ServiceError {
  return new ServiceError("images.invalid", `The import is not possible so: ${why}.`);
}
