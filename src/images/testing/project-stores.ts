// A store that keeps each project's data in a place of its own, in memory, and remembers who may read what.
import type { Readable } from "node:stream";
import { ServiceError } from "../../core/errors.ts";
import { MemoryStore } from "../../stores/memory/memory-store.ts";
import type { NamedStore } from "../../stores/registry.ts";
import type { ByteRange, Readers, Store } from "../../stores/store.ts";

export class ProjectStores implements Store {
  readonly properties = { schemes: ["memory"], writable: true, shown: {} } as const;
  readonly readers = new Map<string, Readers>();
  /** Called before a store hears who may read. */
  beforeShare: (readers: Readers) => Promise<void> = async () => undefined;
  readonly #places = new Map<string, MemoryStore>();

  get named(): NamedStore {
    return { id: "users", type: "memory", description: null, weight: 0, store: this };
  }

  /** Where new data of this project goes. */
  of(project: string | null): MemoryStore {
    const name = project ?? "nobody";
    const place = this.#places.get(name) ?? new MemoryStore({ name });
    this.#places.set(name, place);
    return place;
  }

  async within(where: { readonly project: string | null } | { readonly url: string }): Promise<Store> {
    return "url" in where ? this.#at(where.url) : this.of(where.project);
  }

  async share(url: string, readers: Readers): Promise<void> {
    await this.beforeShare(readers);
    this.readers.set(url, readers);
  }

  owns = (url: string) => url.startsWith("memory://");
  size = (url: string) => this.#at(url).size(url);
  open = (url: string, options: { signal: AbortSignal; range?: ByteRange }): Promise<Readable> =>
    this.#at(url).open(url, options);
  remove = (url: string) => this.#at(url).remove(url);
  close = async () => undefined;

  locationFor(): never {
    throw new Error("whose data it is was not said");
  }

  put(): never {
    throw new Error("whose data it is was not said");
  }

  #at(url: string): MemoryStore {
    const place = [...this.#places.values()].find((one) => one.owns(url));
    if (place) return place;
    throw new ServiceError("stores.blob_not_found", `There is no ${url}.`);
  }
}
