// Which store new data goes to: the one the client names, else the operator's default.
import { ServiceError } from "../core/errors.ts";
import type { NamedStore } from "../stores/registry.ts";
import type { Store } from "../stores/store.ts";
import type { ImageServicesDeps } from "./services.ts";

/**
 * `storeId` means nothing where there are not several stores, as in the reference. Throws images.invalid where this node has no such store,
 * images.gone where it has one that only gives data.
 */
export function uploadTarget({ stores }: Pick<ImageServicesDeps, "stores">, storeId: string | undefined): NamedStore {
  const target = storeId === undefined || !stores.multiStore ? stores.defaultStore : stores.named(storeId);
  if (!target)
    throw new ServiceError(
      "images.invalid",
      `There is no store "${storeId?.slice(0, 80)}"; GET /v2/info/stores lists them.`,
    );
  // 410 is what clients of the reference know for it.
  if (!target.store.properties.writable)
    throw new ServiceError("images.gone", `Store ${target.id} only gives data: choose another.`);
  return target;
}

/** The store as it is for data of this project's images, see Store.within. Throws as that. */
export async function storeWithin(store: Store, project: string | null): Promise<Store> {
  return (await store.within?.({ project })) ?? store;
}
