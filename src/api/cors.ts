// Which web pages of other origins may call this service from a browser (CORS): the options of oslo.middleware, and the headers they lead to.
// Written by hand because answers are: a plugin's headers would never reach them.
import type { IncomingMessage } from "node:http";
import type { Config } from "../core/config.ts";
import { readWithFilter } from "../core/filter-options.ts";
import { optionGroup } from "../core/options.ts";
import type { Pipeline } from "./pipeline/pipeline.ts";

export const corsOptions = optionGroup("cors", {
  allowed_origin: {
    type: "list",
    default: [],
    help: "Origins whose pages may use this service, such as https://dashboard.example; * for all. Empty: none.",
  },
  allow_credentials: {
    type: "boolean",
    default: true,
    help: "Let pages of origins that are named (not *) send the user's cookies and certificates along.",
  },
  expose_headers: {
    type: "list",
    default: ["X-Image-Meta-Checksum", "X-Auth-Token", "X-Subject-Token", "X-Service-Token", "X-OpenStack-Request-ID"],
    help: "Headers of answers that pages may read.",
  },
  max_age: {
    type: "integer",
    default: 3600,
    min: 0,
    help: "Seconds a browser may remember what it is allowed. 0: browsers decide.",
  },
  allow_methods: {
    type: "list",
    default: ["GET", "PUT", "POST", "DELETE", "PATCH"],
    help: "Methods pages may use.",
  },
  allow_headers: {
    type: "list",
    default: [
      "Content-MD5",
      "X-Image-Meta-Checksum",
      "X-Storage-Token",
      "Accept-Encoding",
      "X-Auth-Token",
      "X-Identity-Status",
      "X-Roles",
      "X-Service-Catalog",
      "X-User-Id",
      "X-Tenant-Id",
      "X-OpenStack-Request-ID",
    ],
    help: "Headers pages may send, beside the usual ones (Accept, Accept-Language, Content-Type, Content-Language, Cache-Control, Expires, Last-Modified, Pragma).",
  },
});

export type CorsRules = {
  readonly origins: ReadonlySet<string>;
  readonly credentials: boolean;
  readonly exposedHeaders: readonly string[];
  /** 0: nothing is said. */
  readonly maxAgeSeconds: number;
  readonly methods: ReadonlySet<string>;
  /** Lower-cased. */
  readonly headers: ReadonlySet<string>;
};

type Headers = Readonly<Record<string, string>>;

const alwaysAllowed = [
  "accept",
  "accept-language",
  "content-type",
  "cache-control",
  "content-language",
  "expires",
  "last-modified",
  "pragma",
];
const none: Headers = {};

/** null where the pipeline lacks the filter, or no origin is allowed. Options in the filter's section go first. Throws config.invalid. */
export function readCorsRules(config: Pick<Config, "read">, pipeline: Pick<Pipeline, "cors">): CorsRules | null {
  if (pipeline.cors === null) return null;
  const options = readWithFilter(config, corsOptions, pipeline.cors);
  const origins = options.allowed_origin.filter((origin) => origin !== "");
  if (origins.length === 0) return null;
  return {
    origins: new Set(origins),
    credentials: options.allow_credentials,
    exposedHeaders: options.expose_headers,
    maxAgeSeconds: options.max_age,
    methods: new Set(options.allow_methods),
    headers: new Set([...alwaysAllowed, ...options.allow_headers.map((name) => name.toLowerCase())]),
  };
}

/** What the answer to this request says to the page that made it; for OPTIONS, to the browser that asks beforehand. */
export function corsHeaders(rules: CorsRules, request: IncomingMessage): Headers {
  const allowed = originHeaders(rules, request.headers.origin);
  if (!allowed) return none;
  if (request.method === "OPTIONS") return preflightHeaders(rules, request, allowed);
  if (rules.exposedHeaders.length === 0) return allowed;
  return { ...allowed, "access-control-expose-headers": rules.exposedHeaders.join(",") };
}

/** Answers to one origin may not be served to another by a cache on the way, hence Vary. */
function originHeaders({ origins, credentials }: CorsRules, origin: string | undefined): Headers | undefined {
  if (origin === undefined) return undefined;
  if (origins.has(origin))
    return {
      vary: "Origin",
      "access-control-allow-origin": origin,
      ...(credentials ? { "access-control-allow-credentials": "true" } : {}),
    };
  return origins.has("*") ? { vary: "Origin", "access-control-allow-origin": "*" } : undefined;
}

/** All of what the browser asks for, or nothing. */
function preflightHeaders(rules: CorsRules, { headers }: IncomingMessage, allowed: Headers): Headers {
  const method = headers["access-control-request-method"];
  const asked = (headers["access-control-request-headers"] ?? "").split(",").map((name) => name.trim());
  const names = asked.filter((name) => name !== "");
  if (method === undefined || !rules.methods.has(method)) return none;
  if (!names.every((name) => rules.headers.has(name.toLowerCase()))) return none;
  return {
    ...allowed,
    ...(rules.maxAgeSeconds > 0 ? { "access-control-max-age": String(rules.maxAgeSeconds) } : {}),
    "access-control-allow-methods": method,
    ...(names.length > 0 ? { "access-control-allow-headers": names.join(",") } : {}),
  };
}
