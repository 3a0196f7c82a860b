// Several stores as clients see them: which there are, and taking an image's data out of one of them.
import { randomUUID } from "node:crypto";
import { ServiceError } from "../core/errors.ts";
import type { NamedStore } from "../stores/registry.ts";
import { forbidden, foundImage, requireAllowed, requireMutable } from "./access.ts";
import { isForeign } from "./foreign-data.ts";
import { removeOrTakeBack } from "./leased-data.ts";
import type { ImageServicesDeps, StoreFacts, StoreService } from "./services.ts";

export function createStoreService(deps: ImageServicesDeps): StoreService {
  const { stores, policy, capabilities, images } = deps;
  const { stores: traits } = capabilities;

  const requireSeveral = () => {
    if (!stores.multiStore)
      throw new ServiceError("images.not_found", "This service has no stores by name: enabled_backends is not set.");
  };
  const factsOf = ({ id, description, store }: NamedStore): StoreFacts => ({
    id,
    description,
    isDefault: id === stores.defaultStore.id,
    readOnly: traits.readOnlyShown && !store.properties.writable,
  });

  return {
    ids: stores.multiStore ? stores.stores.map(({ id }) => id) : [],

    list() {
      requireSeveral();
      return stores.stores.map(factsOf);
    },

    detail(caller) {
      requireSeveral();
      if (!policy.allows("stores_info_detail", caller, {}))
        throw forbidden("You may not see the details of stores: policy stores_info_detail.");
      return stores.stores.map((named) => ({
        ...factsOf(named),
        type: named.type,
        weight: traits.weights ? named.weight : null,
        properties: traits.detail === "all" || traits.detail === named.type ? named.store.properties.shown : null,
      }));
    },

    async removeImage(caller, storeId, imageId) {
      requireSeveral();
      const image = await foundImage(deps, caller, imageId);
      const what = `remove image ${image.id} from a store`;
      requireAllowed(deps, "get_image_location", caller, image, what);
      requireMutable(deps, "delete_image_location", caller, image, what);
      const conflict = (why: string) =>
        new ServiceError("images.status_conflict", why, { facts: { imageId: image.id } });
      if (image.status !== "active") throw conflict(`Image ${image.id} is ${image.status}, not active.`);
      const named = stores.named(storeId);
      if (!named) throw conflict(`This node has no store "${storeId.slice(0, 80)}".`);
      const location = image.locations.find((one) => stores.of(one) === named && !isForeign(stores, one));
      if (!location)
        throw new ServiceError("images.not_found", `Image ${image.id} has no data in store ${named.id}.`, {
          facts: { imageId: image.id },
        });
      await removeOrTakeBack(deps, await images.removeLocation(image.id, location.url, cleanupOf(deps)));
    },
  };
}

function cleanupOf({ node, uploadLeaseSeconds }: ImageServicesDeps) {
  return { leaseId: randomUUID(), node, leaseSeconds: uploadLeaseSeconds };
}
