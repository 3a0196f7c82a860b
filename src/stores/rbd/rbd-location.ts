// Locations of images in Ceph, as the reference writes and reads them: `rbd://FSID/POOL/IMAGE/SNAPSHOT`, or `rbd://IMAGE` of old.

export type RbdLocation = {
  /** Of the cluster; undefined in the old form, whose cluster is whichever there is. */
  readonly fsid: string | undefined;
  /** Undefined in the old form: the pool of the store. */
  readonly pool: string | undefined;
  readonly image: string;
  /** Undefined in the old form: the image itself is read. */
  readonly snapshot: string | undefined;
};

const scheme = "rbd://";

/** Undefined where it is no location of RBD. */
export function parseRbdLocation(url: string): RbdLocation | undefined {
  if (!url.toLowerCase().startsWith(scheme)) return undefined;
  let parts: string[];
  try {
    parts = url.slice(scheme.length).split("/").map(decodeURIComponent);
  } catch {
    return undefined;
  }
  // They become C strings, which end at a NUL.
  if (parts.some((part) => part === "" || part.includes("\0"))) return undefined;
  const [first = "", pool, image, snapshot] = parts;
  if (parts.length === 1) return { fsid: undefined, pool: undefined, image: first, snapshot: undefined };
  if (parts.length !== 4 || image === undefined) return undefined;
  return { fsid: first, pool, image, snapshot };
}

export function rbdUrl(location: { readonly [part in keyof RbdLocation]-?: string }): string {
  const { fsid, pool, image, snapshot } = location;
  return `${scheme}${[fsid, pool, image, snapshot].map(encodeURIComponent).join("/")}`;
}
