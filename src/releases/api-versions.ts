// Which minor versions of the Images API a release announces; some only where the operator turned on what they are about.
// Source of the facts: images-api.md, section 2, read at the reference's tags. Version 1 is never announced: it is not served.

export type ApiVersionStatus = "CURRENT" | "SUPPORTED" | "EXPERIMENTAL" | "DEPRECATED";
export type ApiVersion = { readonly id: string; readonly status: ApiVersionStatus };

/** What an operator may turn on that clients see in the list of versions. */
export type ApiFeatures = {
  /** Several stores ([DEFAULT] enabled_backends). */
  readonly multiStore: boolean;
  /** An image cache with its API ([DEFAULT] image_cache_dir). */
  readonly cache: boolean;
  /** Pike's switch for interoperable import ([DEFAULT] enable_image_import). */
  readonly imageImport: boolean;
};

export const noFeatures: ApiFeatures = { multiStore: false, cache: false, imageImport: false };

export type ApiVersions = (features: ApiFeatures) => readonly ApiVersion[];

/** Minor versions of v2 from `newest` down to `oldest`. */
function range(newest: number, oldest: number): readonly number[] {
  return Array.from({ length: newest - oldest + 1 }, (_, index) => newest - index);
}

const idOf = (minor: number) => `v2.${minor}`;

/** Newest first. `experimental` stands before the current one. */
function announce(minors: readonly number[], experimental?: number): readonly ApiVersion[] {
  const [current = 0, ...supported] = [...minors].sort((one, other) => other - one);
  return [
    ...(experimental === undefined ? [] : [{ id: idOf(experimental), status: "EXPERIMENTAL" as const }]),
    { id: idOf(current), status: "CURRENT" },
    ...supported.map((minor) => ({ id: idOf(minor), status: "SUPPORTED" as const })),
  ];
}

/** Every minor version up to this one. */
export function plain(newest: number): ApiVersions {
  return () => announce(range(newest, 0));
}

/** Pike: 2.6 is on trial where import is turned on. */
export const pikeVersions: ApiVersions = ({ imageImport }) => announce(range(5, 0), imageImport ? 6 : undefined);

/** Rocky, Stein: 2.8 is on trial where there are several stores. */
export const rockyVersions: ApiVersions = ({ multiStore }) => announce(range(7, 0), multiStore ? 8 : undefined);

/** Train to Xena: 2.8 and what came after 2.9 belong to several stores. Ussuri's misprint of 2.10 as 2.1 is not repeated. */
export function withStores(newest: number): ApiVersions {
  return ({ multiStore }) => announce([...(multiStore ? range(newest, 8) : [9]), ...range(7, 0)]);
}

/** Yoga and later: 2.14 and 2.16 belong to the cache, 2.10 to 2.13 and 2.8 to several stores, the rest to everybody. */
export function withStoresAndCache(newest: number): ApiVersions {
  return ({ multiStore, cache }) => {
    const forEverybody = range(newest, 15).filter((minor) => minor !== 16);
    return announce([
      ...forEverybody,
      ...(cache ? [...(newest >= 16 ? [16] : []), 14] : []),
      ...(multiStore ? range(13, 8) : [9]),
      ...range(7, 0),
    ]);
  };
}
