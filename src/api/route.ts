// What a route is: a line in a table, and a handler that turns a request into calls of the domain and their result into an answer.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { CacheService } from "../cache/cache-service.ts";
import type { Caller } from "../core/caller.ts";
import { parseExactJson } from "../core/exact-json.ts";
import type { ImageServices } from "../images/services.ts";
import type { ImageSettings } from "../images/settings.ts";
import type { MetadefServices } from "../metadefs/services.ts";
import type { Capabilities } from "../releases/capabilities.ts";
import type { Release } from "../releases/catalogue.ts";
import type { Answer } from "./answer.ts";
import { baseUrlOf } from "./base-url.ts";
import type { ApiSettings } from "./config.ts";
import type { ImageViewOptions } from "./image-view.ts";
import { parseQuery, type QueryPairs } from "./query-string.ts";
import { clientGone, readJson } from "./request-body.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

/** What a route does with a body: most refuse any (400); `stream` hands it on, `ignored` is the list's, as in the reference. */
export type BodyRule = "refused" | "json" | "stream" | "ignored";

export type Services = Pick<
  ImageServices,
  "images" | "data" | "resumable" | "members" | "stores" | "tasks" | "imports" | "locations"
> & {
  readonly metadefs: MetadefServices;
};

/** What handlers work with. */
export type RouteDeps = {
  readonly services: Services;
  readonly cache: CacheService;
  readonly release: Release;
  /** The newest release that a living node serves as, whose schemas are published; absent: `release`. */
  readonly described?: () => Promise<Release>;
  readonly capabilities: Capabilities;
  readonly images: ImageSettings;
  readonly view: ImageViewOptions;
  readonly settings: ApiSettings;
};

/** What decides which routes there are: the release, and some of the operator's choices. */
export type RouteChoice = {
  readonly capabilities: Capabilities;
  readonly images: Pick<ImageSettings, "containerFormats" | "diskFormats" | "propertySchemas" | "resumableSeconds">;
  readonly settings: Pick<ApiSettings, "olderCacheRoutes">;
  readonly services: { readonly imports: Pick<Services["imports"], "methods"> };
};

export type Route = {
  readonly method: Method;
  /** Below `/v2`, with `:parameters`. */
  readonly path: string;
  readonly body: BodyRule;
  readonly handle: (request: ApiRequest, deps: RouteDeps) => Promise<Answer>;
};

/** One authenticated request. */
export class ApiRequest {
  readonly raw: IncomingMessage;
  readonly response: ServerResponse;
  readonly caller: Caller;
  readonly #params: Readonly<Record<string, string>>;
  readonly #settings: ApiSettings;

  constructor(options: {
    raw: IncomingMessage;
    response: ServerResponse;
    caller: Caller;
    params: Readonly<Record<string, string>>;
    settings: ApiSettings;
  }) {
    this.raw = options.raw;
    this.response = options.response;
    this.caller = options.caller;
    this.#params = options.params;
    this.#settings = options.settings;
  }

  /** A part of the path, decoded. */
  param(name: string): string {
    return this.#params[name] ?? "";
  }

  header(name: string): string | undefined {
    const value = this.raw.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** Throws api.bad_request. */
  query(): QueryPairs {
    const url = this.raw.url ?? "";
    const at = url.indexOf("?");
    return at === -1 ? [] : parseQuery(url.slice(at + 1));
  }

  /** A list or an object. Throws api.bad_request, api.body_too_large, api.body_too_slow, api.client_gone. */
  json(): Promise<object> {
    return readJson(this.raw, this.response);
  }

  /** As json, with numbers as they were written where a JavaScript number would be another (core/exact-json.ts). */
  exactJson(): Promise<object> {
    return readJson(this.raw, this.response, undefined, parseExactJson);
  }

  baseUrl(): string {
    return baseUrlOf(this.raw, this.#settings);
  }

  /** Aborts, with api.client_gone, when the client leaves before it has its whole answer. */
  signal(): AbortSignal {
    const controller = new AbortController();
    if (this.response.destroyed) controller.abort(clientGone());
    else
      this.response.once("close", () => {
        if (!this.response.writableFinished) controller.abort(clientGone());
      });
    return controller.signal;
  }
}

export const jsonHeaders = { "content-type": "application/json" } as const;

export function jsonAnswer(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = jsonHeaders,
): Answer {
  return { status, headers, body };
}

export const noContent: Answer = { status: 204 };
