// Image data in stores that this node has not, be it a kind that only the reference has or a name of enabled_backends that only other nodes
// know: such images are shown and listed. What needs their data is asked of a node that has the store, where the operator names one
// (foreign_store_proxy), else refused as a whole, with a text that says where it can be had. Reading and deleting are passed on, for they need
// nothing but the image; what would change rows here and data there (its locations, copies of it) is refused in any case.
import { Readable } from "node:stream";
import { ServiceError } from "../core/errors.ts";
import type { Onward } from "../core/onward.ts";
import { type PlacedData, type StoreRegistry, schemeOf, withoutSecrets } from "../stores/registry.ts";
import { type RangeRequest, resolveRange } from "./byte-range.ts";
import type { Image } from "./image.ts";
import type { ImageServicesDeps, OpenedData } from "./services.ts";

type Stores = Pick<StoreRegistry, "of" | "storeElsewhere">;

/** Of locations in kinds of stores that only the reference has. */
export const foreignSchemes = ["cinder", "vsphere", "sheepdog", "gridfs"] as const;
/** With those that a node has only where Ceph is configured. */
const schemesElsewhere: ReadonlySet<string> = new Set([...foreignSchemes, "rbd"]);
/** Web servers only give data: deleting the image leaves it there, whichever node does it. */
const givingSchemes: ReadonlySet<string> = new Set(["http", "https"]);
const everybody = { projectId: null, isAdmin: true } as const;

/** Whether the location's data is in a store we do not have. */
export function isForeign(stores: Stores, location: PlacedData): boolean {
  if (stores.storeElsewhere(location) !== undefined) return true;
  return schemesElsewhere.has(schemeOf(location.url)) && stores.of(location) === undefined;
}

/** `what` is refused, such as "read". */
export function foreignData(stores: Stores, location: PlacedData, what: string): ServiceError {
  const name = stores.storeElsewhere(location);
  const store = name === undefined ? `a store of kind ${schemeOf(location.url)}` : `store "${name.slice(0, 80)}"`;
  const message = `The data of this image is in ${store}, which this node does not have, so it cannot be ${what} here; ask a node that has such a store.`;
  return new ServiceError("stores.foreign", message, { facts: { url: withoutSecrets(location.url) } });
}

/** Whether the location's data would stay behind where this node deletes. */
export function staysBehind(stores: Stores, location: PlacedData): boolean {
  return !givingSchemes.has(schemeOf(location.url)) && isForeign(stores, location);
}

function foreignToRemove(stores: Stores, locations: readonly PlacedData[]): PlacedData | undefined {
  return locations.find((location) => staysBehind(stores, location));
}

/** Throws stores.foreign where the data of one of them would stay behind. */
export function refuseForeignRemoval(stores: Stores, locations: readonly PlacedData[]): void {
  const foreign = foreignToRemove(stores, locations);
  if (foreign) throw foreignData(stores, foreign, "deleted");
}

/**
 * Has the image deleted by a node that has its stores, before anything is changed here; false: this node has all of them itself.
 * Throws stores.foreign where nobody is named, and as ForeignNodes.remove.
 */
export async function removedElsewhere(
  { stores, foreignNodes, images, cache }: ImageServicesDeps,
  image: Image,
  onward: Onward | undefined,
): Promise<boolean> {
  const foreign = foreignToRemove(stores, image.locations);
  if (!foreign) return false;
  if (!foreignNodes || !onward) throw foreignData(stores, foreign, "deleted");
  try {
    await foreignNodes.remove(image.id, { onward });
  } catch (error) {
    // After a lost answer the next one says that there is no such image: what counts is whether it is there.
    if (await images.find(image.id, everybody)) throw error;
  }
  await cache?.evict(image.id);
  return true;
}

export type OpenOptions = {
  readonly signal: AbortSignal;
  readonly range?: RangeRequest;
  /** The client's request; absent: no client asks, and nobody else is asked. */
  readonly onward?: Onward;
};

/**
 * The data by way of a node that has its store; undefined where that is nobody's. Throws api.range_not_satisfiable, stores.foreign, and as
 * ForeignNodes.open.
 */
export async function openElsewhere(
  { stores, foreignNodes }: Pick<ImageServicesDeps, "stores" | "foreignNodes">,
  image: Image,
  { onward, range: request, signal }: OpenOptions,
): Promise<OpenedData | undefined> {
  const foreign = image.locations.find((location) => isForeign(stores, location));
  // Without its size no range of it can be told, nor whether all of it came.
  if (!foreign || !foreignNodes || !onward || image.sizeBytes === null) return undefined;
  const { sizeBytes } = image;
  const range = request ? resolveRange(request, sizeBytes) : null;
  const wanted = range ?? { start: 0, end: sizeBytes - 1 };
  const data =
    sizeBytes === 0
      ? Readable.from([])
      : await foreignNodes.open(image.id, { sizeBytes, range: wanted, signal, onward });
  return { sizeBytes, range, data };
}
