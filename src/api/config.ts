// Options of glance-api.conf that shape requests and answers. What concerns sockets and processes stands in node/config.ts.
import { cacheOptions } from "../cache/config.ts";
import type { Config } from "../core/config.ts";
import { ServiceError } from "../core/errors.ts";
import { readWithFilter } from "../core/filter-options.ts";
import { optionGroup } from "../core/options.ts";
import { type ApiFeatures, noFeatures } from "../releases/api-versions.ts";
import { type CorsRules, corsOptions, readCorsRules } from "./cors.ts";
import { pasteDeployOptions } from "./pipeline/config.ts";
import { healthcheckOptions, readHealthcheckPath } from "./pipeline/healthcheck.ts";
import { readPipeline } from "./pipeline/pipeline.ts";

export const apiOptions = optionGroup("DEFAULT", {
  public_endpoint: {
    type: "string",
    default: null,
    help: "URL under which clients reach this service, for links in answers, such as https://images.example:9292. Unset: what the request says.",
  },
  max_request_id_length: {
    type: "integer",
    default: 64,
    min: 1,
    max: 1024,
    help: "Characters an X-Openstack-Request-ID of a client may have.",
  },
  secure_proxy_ssl_header: {
    type: "string",
    default: null,
    help: "Header (also in the form HTTP_X_FORWARDED_PROTO) in which a TLS proxy in front tells the scheme of the original request. Until Yoga; Zed took the option away.",
  },
});

export const proxyOptions = optionGroup("oslo_middleware", {
  enable_proxy_headers_parsing: {
    type: "boolean",
    default: false,
    help: "Believe Forwarded and X-Forwarded-Proto, -Host, -Port and -Prefix of a proxy in front when links are made.",
  },
});

/** With those of the cache, which the list of versions depends on. */
export const apiOptionGroups = [
  apiOptions,
  proxyOptions,
  pasteDeployOptions,
  healthcheckOptions,
  cacheOptions,
  corsOptions,
] as const;

export type ApiSettings = {
  /** Without a trailing slash; null: from the request. */
  readonly publicEndpoint: string | null;
  readonly requestIdCharsMax: number;
  /** Lower-cased header name; null: none. */
  readonly schemeHeader: string | null;
  readonly trustProxyHeaders: boolean;
  /** Beside /healthcheck itself. */
  readonly healthcheckPath: string;
  /** What the operator turned on that the list of versions shows. */
  readonly features: ApiFeatures;
  /** The pipeline has the filter of /v2/cached_images and /v2/queued_images. */
  readonly olderCacheRoutes: boolean;
  /** null: browsers get no headers about other origins. */
  readonly cors: CorsRules | null;
  /** Text of answers is compressed for clients that take it. */
  readonly gzip: boolean;
};

/** Throws config.invalid where public_endpoint is not an http or https URL, and as readPipeline does. */
export function readApiSettings(config: Config): ApiSettings {
  const options = config.read(apiOptions);
  const pipeline = readPipeline(config);
  return {
    publicEndpoint: parsePublicEndpoint(options.public_endpoint),
    requestIdCharsMax: options.max_request_id_length,
    schemeHeader: headerNameOf(options.secure_proxy_ssl_header),
    trustProxyHeaders:
      pipeline.proxyHeaders !== null &&
      readWithFilter(config, proxyOptions, pipeline.proxyHeaders).enable_proxy_headers_parsing,
    healthcheckPath: readHealthcheckPath(config, pipeline),
    // The options that would turn the others on are refused (images/config.ts) until there is something behind them.
    features: { ...noFeatures, cache: Boolean(config.read(cacheOptions).image_cache_dir?.trim()) },
    olderCacheRoutes: pipeline.cacheManagement !== null,
    cors: readCorsRules(config, pipeline),
    gzip: pipeline.gzip !== null,
  };
}

function parsePublicEndpoint(text: string | null): string | null {
  if (text === null || text.trim() === "") return null;
  const url = text.trim().replace(/\/+$/, "");
  if (/^https?:\/\/[^\s/?#]+[^\s?#]*$/i.test(url)) return url;
  throw new ServiceError(
    "config.invalid",
    `[DEFAULT] public_endpoint is "${text}": give a URL with http or https and without a query, such as https://images.example:9292.`,
    { facts: { section: "DEFAULT", option: "public_endpoint", value: text } },
  );
}

function headerNameOf(text: string | null): string | null {
  const name = text
    ?.trim()
    .toLowerCase()
    .replace(/^http_/, "")
    .replaceAll("_", "-");
  return name ? name : null;
}
