// Objects and containers of one Swift account: requests with the token of a login, and a new one where it is refused.
import { ServiceError } from "../../core/errors.ts";
import { discard, type HttpReply, textOf } from "../wire/http-client.ts";
import type { SwiftSession } from "./swift-auth.ts";
import { type SwiftAccess, SwiftLogin } from "./swift-login.ts";

export type SwiftCall = {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly container: string;
  /** Absent: of the container itself. */
  readonly object?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Buffer[];
  readonly signal?: AbortSignal | undefined;
};

export class SwiftClient {
  readonly #login: SwiftLogin;
  readonly #accountUrl: string | null;

  /** `accountUrl`: another account than the login's own, by its login. */
  constructor(access: SwiftAccess, login: SwiftLogin = new SwiftLogin(access), accountUrl: string | null = null) {
    this.#login = login;
    this.#accountUrl = accountUrl ?? access.endpoint;
  }

  /** The same for another account that this one's login reaches; closed with this one. */
  of(accountUrl: string): SwiftClient {
    return new SwiftClient(this.#login.access, this.#login, accountUrl);
  }

  /** Throws stores.unavailable, stores.read_only. */
  session(): Promise<SwiftSession> {
    return this.#login.session();
  }

  /** The reply with its body unread, whatever its status. Throws stores.unavailable, stores.read_only (the account), the signal's reason. */
  async call(call: SwiftCall): Promise<HttpReply> {
    const reply = await this.#send(call);
    if (reply.status !== 401) return reply;
    discard(reply);
    this.#login.forget();
    return await this.#send(call);
  }

  /** Writes an object from a stream, once: a token that is refused now is for the next one. */
  async stream(call: Omit<SwiftCall, "body">, source: AsyncIterable<Buffer>): Promise<HttpReply> {
    const session = await this.#login.session();
    const { method, signal } = call;
    const headers = () => ({ "x-auth-token": session.token, ...call.headers });
    const reply = await this.#login.http.send({ method, url: this.#url(session, call), headers, signal }, source);
    if (reply.status === 401) this.#login.forget();
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
    this.#login.http.close();
  }

  async #send(call: SwiftCall): Promise<HttpReply> {
    const session = await this.#login.session();
    const { method, body, signal } = call;
    const headers = () => ({ "x-auth-token": session.token, ...call.headers });
    return await this.#login.http.request({
      method,
      url: this.#url(session, call),
      headers,
      ...(body ? { body } : {}),
      signal,
    });
  }

  #url({ storageUrl }: SwiftSession, { container, object, query }: SwiftCall): URL {
    const parts = [container, ...(object === undefined ? [] : [object])].map(encodeURIComponent);
    const base = (this.#accountUrl ?? storageUrl).replace(/\/+$/, "");
    const url = new URL(`${base}/${parts.join("/")}`);
    url.search = new URLSearchParams(query).toString();
    return url;
  }
}

/** stores.blob_not_found (404), stores.read_only (401, 403), stores.full (413, 507), else stores.unavailable. */
export function failureOf({ method, container, object }: Omit<SwiftCall, "body">, status: number): ServiceError {
  const facts = { method, container, object: object ?? null, status };
  const what = `Swift answered ${status} to ${method} in container ${container}`;
  if (status === 404) return new ServiceError("stores.blob_not_found", `${what}: there is no such data.`, { facts });
  if (status === 401 || status === 403)
    return new ServiceError(
      "stores.read_only",
      `${what}: the store's user may not do that; in accounts of users it needs a role that Swift has as reseller_admin_role.`,
      { facts },
    );
  if (status === 413 || status === 507)
    return new ServiceError("stores.full", `${what}: the store has no room left.`, { facts });
  return new ServiceError("stores.unavailable", `${what}.`, { facts });
}
