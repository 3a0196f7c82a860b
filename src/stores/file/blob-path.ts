// Which file a location means. Only files that lie directly in the data directory are ever opened or removed, whatever URL a database row
// holds, and partial data has a folder of its own there, so that finding it never costs a listing of all images.
import assert from "node:assert/strict";
import { realpath } from "node:fs/promises";
import { basename, dirname, join, normalize } from "node:path";

/** Beside the blobs, so that a finished one can be linked into place; hidden, so that no image id can be its name. */
const defaultPartialFolder = ".perennial-partial";

export class BlobPaths {
  readonly dataDirectory: string;

  readonly #partialFolder: string;

  /** `dataDirectory`: an absolute path. `partialFolder`: a name in it. */
  constructor(dataDirectory: string, partialFolder = defaultPartialFolder) {
    this.#partialFolder = partialFolder;
    const path = normalize(dataDirectory);
    this.dataDirectory = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
  }

  get partialDirectory(): string {
    return join(this.dataDirectory, this.#partialFolder);
  }

  /** The file of a key. A key that could leave the directory is a programmer's mistake: ids are checked where they come in. */
  blob(key: string): string {
    assert(isBlobName(key), `not a key of a store: ${key}`);
    return join(this.dataDirectory, key);
  }

  /** Not percent-encoded, as the reference writes it. */
  url(key: string): string {
    return `file://${this.blob(key)}`;
  }

  /** Without looking at the disk: a directory that has a second name is known by the first alone. */
  isUrlOf(url: string): boolean {
    const path = pathOf(url);
    return path !== undefined && dirname(path) === this.dataDirectory && isBlobName(basename(path));
  }

  partial(key: string, random: string): string {
    return join(this.partialDirectory, `${key}.${random}`);
  }

  isPartialOf(key: string, name: string): boolean {
    return name.startsWith(`${key}.`);
  }

  /** The key of a location of this store; undefined where the URL means a file anywhere else. */
  async keyOf(url: string): Promise<string | undefined> {
    const path = pathOf(url);
    if (path === undefined) return undefined;
    const key = basename(path);
    if (!isBlobName(key)) return undefined;
    const folder = dirname(path);
    if (folder === this.dataDirectory) return key;
    // The same directory may have two names where a link leads to it.
    return (await sameDirectory(folder, this.dataDirectory)) ? key : undefined;
  }
}

/** The path of a file's URL in its plainest spelling; undefined where it is none, or names a directory. */
function pathOf(url: string): string | undefined {
  const path = /^file(?:system)?:\/\/(\/[^\0]*)$/.exec(url)?.[1];
  return path === undefined || path.endsWith("/") ? undefined : normalize(path);
}

/** No separators, no hidden names; a key must not begin another key's partial name, hence no dot at all. */
function isBlobName(name: string): boolean {
  return /^[0-9A-Za-z_-]{1,255}$/.test(name);
}

async function sameDirectory(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.allSettled([realpath(one), realpath(other)]);
  return first.status === "fulfilled" && second.status === "fulfilled" && first.value === second.value;
}
