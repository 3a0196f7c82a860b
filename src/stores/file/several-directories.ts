// Several data directories as one store: new data goes to the directory of the highest priority that has room for it, and of equals to the one
// with the most room. A key lies in one of them, and removing it looks into all: the lease of an upload names one URL before it is known which.
import { statfs } from "node:fs/promises";
import { basename } from "node:path";
import type { Readable } from "node:stream";
import { errorText, isServiceError, ServiceError } from "../../core/errors.ts";
import type { ByteRange, PutOptions, Store, StoredBlob } from "../store.ts";

export type DataDirectory = {
  /** Absolute. */
  readonly path: string;
  /** Greater is filled first. */
  readonly priority: number;
  readonly store: Store;
};

/** `directories`: at least one. */
export function storeOfDirectories(directories: readonly DataDirectory[]): Store {
  const [first, ...others] = directories.toSorted((one, other) => other.priority - one.priority);
  if (!first) throw new Error("a store of no directories");
  return others.length === 0 ? first.store : new SeveralDirectories(first, others);
}

class SeveralDirectories implements Store {
  readonly properties: Store["properties"];
  readonly #first: DataDirectory;
  readonly #all: readonly DataDirectory[];

  constructor(first: DataDirectory, others: readonly DataDirectory[]) {
    this.#first = first;
    this.#all = [first, ...others];
    const { shown } = first.store.properties;
    const paths = this.#all.map(({ path }) => path).join(",");
    this.properties = { ...first.store.properties, shown: { ...shown, data_dir: paths } };
  }

  owns(url: string): boolean {
    return this.#all.some(({ store }) => store.owns(url));
  }

  /** The put may choose another directory; removing by this URL takes the data away from whichever it was. */
  locationFor(key: string): string {
    return this.#first.store.locationFor(key);
  }

  async put(key: string, source: Readable, options: PutOptions): Promise<StoredBlob> {
    let chosen: DataDirectory;
    try {
      chosen = await this.#choose(options.expectedBytes ?? 0);
      for (const { store } of this.#all) if (store !== chosen.store) await refuseTaken(store, key);
    } catch (error) {
      source.on("error", () => undefined).destroy();
      options.signal.throwIfAborted();
      throw error;
    }
    return await chosen.store.put(key, source, options);
  }

  async open(url: string, options: { signal: AbortSignal; range?: ByteRange }): Promise<Readable> {
    return await this.#storeOf(url).open(url, options);
  }

  async size(url: string): Promise<number> {
    return await this.#storeOf(url).size(url);
  }

  async remove(url: string): Promise<void> {
    const owner = this.#storeOf(url);
    // A URL that only looks like one of a data directory is refused by the owner, before anything is removed elsewhere.
    await owner.remove(url);
    for (const { store } of this.#all) if (store !== owner) await store.remove(store.locationFor(basename(url)));
  }

  async close(): Promise<void> {
    for (const { store } of this.#all) await store.close();
  }

  /** The first one where none is known to be the owner: it knows its directory by other names too, and refuses what is not its own. */
  #storeOf(url: string): Store {
    return (this.#all.find(({ store }) => store.owns(url)) ?? this.#first).store;
  }

  /** Throws stores.full; stores.unavailable where no directory answers. */
  async #choose(bytes: number): Promise<DataDirectory> {
    const asked = await Promise.allSettled(this.#all.map(({ path }) => freeBytes(path)));
    const free = this.#all.flatMap((directory, at) => {
      const answer = asked[at];
      return answer?.status === "fulfilled" ? [{ directory, bytes: answer.value }] : [];
    });
    if (free.length === 0) {
      const causes = asked.flatMap((answer) => (answer.status === "rejected" ? [errorText(answer.reason)] : []));
      throw new ServiceError("stores.unavailable", "None of the store's data directories answers.", {
        facts: { causes: causes.join("; ") },
      });
    }
    const fitting = free.filter((one) => one.bytes >= bytes);
    const [best] = fitting.toSorted(
      (one, other) => other.directory.priority - one.directory.priority || other.bytes - one.bytes,
    );
    if (best) return best.directory;
    throw new ServiceError("stores.full", `None of the store's data directories has room for ${bytes} bytes.`, {
      facts: { bytes },
    });
  }
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

async function refuseTaken(store: Store, key: string): Promise<void> {
  try {
    await store.size(store.locationFor(key));
  } catch (error) {
    // A directory that does not answer is none that can be asked: the data in it belongs to another location then.
    if (isServiceError(error, "stores.blob_not_found", "stores.unavailable")) return;
    throw error;
  }
  throw new ServiceError("stores.blob_exists", `The store already holds data of image ${key}.`, { facts: { key } });
}
