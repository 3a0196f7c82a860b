// A web server's files as a store, in memory: read only, under http://web/, and broken off as often as a test wants.
import { Readable } from "node:stream";
import { ServiceError } from "../../core/errors.ts";
import type { NamedStore } from "../../stores/registry.ts";
import type { Store } from "../../stores/store.ts";

export class WebStore implements Store {
  readonly properties = { schemes: ["http", "https"], writable: false, shown: {} } as const;
  readonly files = new Map<string, Buffer>();
  /** How many of the next readings break off in the middle. */
  failures = 0;
  /** Readings that were begun. */
  opened = 0;
  /** Readings wait for it. */
  gate: Promise<void> = Promise.resolve();

  get named(): NamedStore {
    return { id: "web", type: "http", description: null, weight: 0, store: this };
  }

  add(name: string, content: Buffer): string {
    const url = `http://web/${name}`;
    this.files.set(url, content);
    return url;
  }

  owns = (url: string) => url.startsWith("http://web/");
  locationFor = (key: string) => `http://web/${key}`;
  put = () => Promise.reject(new ServiceError("stores.read_only", "The web is read only."));
  remove = () => Promise.reject(new ServiceError("stores.read_only", "The web is read only."));
  close = async () => undefined;
  size = async (url: string) => this.#file(url).length;

  async open(url: string, { signal }: { signal: AbortSignal }): Promise<Readable> {
    this.opened += 1;
    const file = this.#file(url);
    const breaks = this.failures-- > 0;
    const gate = this.gate;
    async function* pieces() {
      await gate;
      signal.throwIfAborted();
      yield file.subarray(0, 4);
      if (breaks) throw new ServiceError("stores.unavailable", "The connection broke.");
      yield file.subarray(4);
    }
    return Readable.from(pieces());
  }

  #file(url: string): Buffer {
    const file = this.files.get(url);
    if (file) return file;
    throw new ServiceError("stores.blob_not_found", `There is no ${url}.`);
  }
}
