// Image data in stores of kinds that the reference has and we do not: such images are shown and listed, and whatever would need their data is
// refused as a whole, with a text that says where it can be had.
import { ServiceError } from "../core/errors.ts";
import { type PlacedData, type StoreRegistry, schemeOf, withoutSecrets } from "../stores/registry.ts";

const foreignSchemes: ReadonlySet<string> = new Set(["rbd", "cinder", "vsphere", "sheepdog", "gridfs"]);

/** Whether the location's data is in a store of a kind we do not have. */
export function isForeign(stores: Pick<StoreRegistry, "of">, location: PlacedData): boolean {
  return foreignSchemes.has(schemeOf(location.url)) && stores.of(location) === undefined;
}

/** `what` is refused, such as "read". */
export function foreignData({ url }: PlacedData, what: string): ServiceError {
  const kind = schemeOf(url);
  const message = `The data of this image is in a store of kind ${kind}, which is not implemented by this node, so it cannot be ${what} here; ask a node that has such a store.`;
  return new ServiceError("stores.foreign", message, { facts: { url: withoutSecrets(url) } });
}

/** Throws stores.foreign where the data of one of them would stay behind. */
export function refuseForeignRemoval(stores: Pick<StoreRegistry, "of">, locations: readonly PlacedData[]): void {
  const foreign = locations.find((location) => isForeign(stores, location));
  if (foreign) throw foreignData(foreign, "deleted");
}
