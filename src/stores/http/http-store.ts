// Data that lies on a web server: read, never written. What a client may name as a location must not lead into this machine (near-places.ts).
import type { Readable } from "node:stream";
import { ServiceError } from "../../core/errors.ts";
import type { ByteRange, Store, StoredBlob } from "../store.ts";
import { discard, HttpClient, type HttpClientOptions, type HttpReply, lengthOf } from "../wire/http-client.ts";
import { type Opened, resumedStream } from "../wire/resumed-stream.ts";
import { NearPlaces } from "./near-places.ts";

export type HttpStoreOptions = Pick<HttpClientOptions, "ca" | "insecure" | "silentMsMax"> & {
  /** Hosts that may be this machine or on its own network. */
  readonly nearHosts: readonly string[];
};

const redirectsMax = 5;
const redirects: readonly number[] = [301, 302, 303, 307, 308];
const gone: readonly number[] = [404, 410];

export function openHttpStore(options: HttpStoreOptions): Store {
  return new HttpStore(options);
}

class HttpStore implements Store {
  readonly properties = { schemes: ["http", "https"], writable: false, shown: {} } as const;
  readonly #client: HttpClient;
  readonly #near: NearPlaces;

  constructor({ nearHosts, ...options }: HttpStoreOptions) {
    this.#near = new NearPlaces(nearHosts);
    this.#client = new HttpClient({ ...options, lookup: this.#near.lookup });
  }

  owns(url: string): boolean {
    return /^https?:\/\//i.test(url) && URL.canParse(url);
  }

  locationFor(): string {
    throw readOnly();
  }

  async put(_key: string, source: Readable): Promise<StoredBlob> {
    source.on("error", () => undefined).destroy();
    throw readOnly();
  }

  async open(url: string, { signal, range }: { signal: AbortSignal; range?: ByteRange }): Promise<Readable> {
    signal.throwIfAborted();
    const location = this.#parse(url);
    let version: string | undefined;
    const open = async (from: number): Promise<Opened> => {
      const part = from > 0 || range ? { range: `bytes=${from}-${range ? range.end : ""}` } : {};
      const reply = await this.#ask("GET", location, { ...part, ...(version ? { "if-range": version } : {}) }, signal);
      const changed = version !== undefined && etagOf(reply) !== version;
      if (changed || (reply.status !== 200 && reply.status !== 206)) {
        reply.body.destroy();
        throw changed
          ? failed(location, "its data changed while it was read")
          : failed(location, `it answers ${reply.status}`);
      }
      version ??= etagOf(reply);
      const length = lengthOf(reply);
      // A server that knows no ranges sends all of it.
      const skipBytes = reply.status === 200 ? from : 0;
      return { body: reply.body, skipBytes, bytes: length === null ? null : length - skipBytes };
    };
    return await resumedStream({ what: `The data at ${location.origin}`, range, signal, open });
  }

  async size(url: string): Promise<number> {
    const location = this.#parse(url);
    const reply = await this.#ask("HEAD", location, {});
    discard(reply);
    const length = lengthOf(reply);
    if (reply.status !== 200 || length === null)
      throw failed(location, reply.status === 200 ? "it does not tell its size" : `it answers ${reply.status}`);
    return length;
  }

  async remove(url: string): Promise<void> {
    this.#parse(url);
    throw readOnly();
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  /** Follows redirects; each place is looked at. Throws stores.blob_not_found, stores.unavailable. */
  async #ask(
    method: "GET" | "HEAD",
    location: URL,
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<HttpReply> {
    let url = location;
    for (let hop = 0; hop <= redirectsMax; hop++) {
      this.#near.requireOutside(url.hostname);
      // What is compressed on the way would be other bytes than those of a range.
      const sent = { "accept-encoding": "identity", "user-agent": "glance", ...headers };
      const reply = await this.#client.request({ method, url, headers: () => sent, signal });
      const { location: next } = reply.headers;
      if (!redirects.includes(reply.status) || next === undefined) {
        if (!gone.includes(reply.status)) return reply;
        discard(reply);
        throw notFound(location.href);
      }
      reply.body.destroy();
      if (!URL.canParse(next, url) || !/^https?:$/.test(new URL(next, url).protocol))
        throw failed(location, "it redirects to what is no web page");
      url = new URL(next, url);
    }
    throw failed(location, `it redirects more than ${redirectsMax} times`);
  }

  #parse(url: string): URL {
    if (!this.owns(url)) throw notFound(url);
    return new URL(url);
  }
}

/** Only one that promises equal bytes. */
function etagOf({ headers }: HttpReply): string | undefined {
  return headers.etag?.startsWith('"') ? headers.etag : undefined;
}

function notFound(url: string): ServiceError {
  return new ServiceError("stores.blob_not_found", "There is no data at the location.", { facts: { url } });
}

function failed(location: URL, why: string): ServiceError {
  return new ServiceError("stores.unavailable", `The server at ${location.origin} does not give the data: ${why}.`, {
    facts: { url: location.href },
  });
}

function readOnly(): ServiceError {
  return new ServiceError("stores.read_only", "An http store only gives data that lies on a web server already.");
}
