// Objects and containers of one Swift account: requests with its token, which is renewed before it ends and when it is refused.
import { ServiceError } from "../../core/errors.ts";
import { discard, HttpClient, type HttpReply, textOf } from "../wire/http-client.ts";
import { type CatalogChoice, openSession, type SwiftReference, type SwiftSession } from "./swift-auth.ts";

export type SwiftAccess = {
  readonly reference: SwiftReference;
  readonly choice: CatalogChoice;
  /** In the place of what authentication tells; null: that. */
  readonly endpoint: string | null;
  readonly ca?: Buffer;
  readonly insecure: boolean;
};

export type SwiftCall = {
  readonly method: "GET" | "HEAD" | "PUT" | "DELETE";
  readonly container: string;
  /** Absent: of the container itself. */
  readonly object?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Buffer[];
  readonly signal?: AbortSignal | undefined;
};

/** Before its end a token is not used any more: a segment may take so long. */
const spareMs = 300_000;

export class SwiftClient {
  readonly #access: SwiftAccess;
  readonly #http: HttpClient;
  #session: Promise<SwiftSession> | undefined;

  constructor(access: SwiftAccess) {
    this.#access = access;
    this.#http = new HttpClient({ insecure: access.insecure, ...(access.ca ? { ca: access.ca } : {}) });
  }

  /** The reply with its body unread, whatever its status. Throws stores.unavailable, stores.read_only (the account), the signal's reason. */
  async call(call: SwiftCall): Promise<HttpReply> {
    const reply = await this.#send(call);
    if (reply.status !== 401) return reply;
    discard(reply);
    this.#session = undefined;
    return await this.#send(call);
  }

  /** Writes an object from a stream, once: a token that is refused now is for the next one. */
  async stream(call: Omit<SwiftCall, "body">, source: AsyncIterable<Buffer>): Promise<HttpReply> {
    const session = await this.#open();
    const { method, signal } = call;
    const headers = () => ({ "x-auth-token": session.token, ...call.headers });
    const reply = await this.#http.send({ method, url: this.#url(session, call), headers, signal }, source);
    if (reply.status === 401) this.#session = undefined;
    return reply;
  }

  /** As call, with the body as text; throws where the status is none of success. See failureOf. */
  async ask(call: SwiftCall): Promise<{ readonly headers: HttpReply["headers"]; readonly text: string }> {
    const reply = await this.call(call);
    const text = await textOf(reply);
    if (reply.status >= 300) throw failureOf(call, reply.status);
    return { headers: reply.headers, text };
  }

  /** What HEAD tells of an object; undefined where there is none. */
  async head(container: string, object: string, signal?: AbortSignal): Promise<HttpReply["headers"] | undefined> {
    const call = { method: "HEAD", container, object, signal } as const;
    const reply = await this.call(call);
    discard(reply);
    if (reply.status === 404) return undefined;
    if (reply.status >= 300) throw failureOf(call, reply.status);
    return reply.headers;
  }

  close(): void {
    this.#http.close();
  }

  async #send(call: SwiftCall): Promise<HttpReply> {
    const session = await this.#open();
    const { method, body, signal } = call;
    const headers = () => ({ "x-auth-token": session.token, ...call.headers });
    return await this.#http.request({
      method,
      url: this.#url(session, call),
      headers,
      ...(body ? { body } : {}),
      signal,
    });
  }

  #url({ storageUrl }: SwiftSession, { container, object, query }: SwiftCall): URL {
    const parts = [container, ...(object === undefined ? [] : [object])].map(encodeURIComponent);
    const base = (this.#access.endpoint ?? storageUrl).replace(/\/+$/, "");
    const url = new URL(`${base}/${parts.join("/")}`);
    url.search = new URLSearchParams(query).toString();
    return url;
  }

  /** One session for all who ask at once; one that could not be had is tried again by the next. */
  async #open(): Promise<SwiftSession> {
    const standing = await this.#session?.catch(() => undefined);
    if (standing && standing.expiresMs - spareMs > Date.now()) return standing;
    const opening = openSession(this.#http, this.#access.reference, this.#access.choice);
    this.#session = opening;
    opening.catch(() => {
      if (this.#session === opening) this.#session = undefined;
    });
    return await opening;
  }
}

/** stores.blob_not_found (404), stores.read_only (401, 403), stores.full (413, 507), else stores.unavailable. */
export function failureOf({ method, container, object }: Omit<SwiftCall, "body">, status: number): ServiceError {
  const facts = { method, container, object: object ?? null, status };
  const what = `Swift answered ${status} to ${method} in container ${container}`;
  if (status === 404) return new ServiceError("stores.blob_not_found", `${what}: there is no such data.`, { facts });
  if (status === 401 || status === 403)
    return new ServiceError("stores.read_only", `${what}: the account may not do that.`, { facts });
  if (status === 413 || status === 507)
    return new ServiceError("stores.full", `${what}: the store has no room left.`, { facts });
  return new ServiceError("stores.unavailable", `${what}.`, { facts });
}
