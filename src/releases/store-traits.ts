// What a release makes of several stores ([DEFAULT] enabled_backends), which came step by step from Rocky on. Whether it has them at all, and
// under which key a location names its store, is capability locationStoreKey.

export type StoreTraits = {
  /** A location that names no store gets the one whose URLs begin alike, when its image is shown for the first time. */
  readonly adoption: boolean;
  /** Staging and tasks have stores of their own, with sections of their own: os_glance_staging_store and os_glance_tasks_store. */
  readonly reserved: boolean;
  /** Lists of stores say which of them only give data. */
  readonly readOnlyShown: boolean;
  /** An image's data may be removed from one of its stores. */
  readonly removal: boolean;
  /** Which types of stores show their properties to admins; null: there is no such call. */
  readonly detail: "rbd" | "all" | null;
  /** Locations are tried in the order of their stores' weights, and the list of stores with all details shows these. */
  readonly weights: boolean;
};

/** Rocky and Stein. */
export const firstStores: StoreTraits = {
  adoption: false,
  reserved: false,
  readOnlyShown: false,
  removal: false,
  detail: null,
  weights: false,
};

export const trainStores: StoreTraits = { ...firstStores, adoption: true, reserved: true, readOnlyShown: true };
export const ussuriStores: StoreTraits = { ...trainStores, removal: true };
export const yogaStores: StoreTraits = { ...ussuriStores, detail: "rbd" };
export const zedStores: StoreTraits = { ...yogaStores, detail: "all" };
export const weighedStores: StoreTraits = { ...zedStores, weights: true };
