// Chooses by the first path segment, or by Accept, what a request is about, before any routing: it rewrites the URL to one canonical
// form, so that routes know only `/v2/...` and a few internal paths that no client can name (unknown segments never keep their name).
import type { IncomingMessage } from "node:http";
import type { ApiFeatures } from "../releases/api-versions.ts";
import type { Release } from "../releases/catalogue.ts";

/** Where requests go that name no version we have. */
export const internalPaths = {
  /** 300 and the list of versions. */
  versionChoice: "/.version-choice",
  /** `/v2` without anything behind it: 302 to `/v2/`. */
  versionRedirect: "/.version-redirect",
  /** OPTIONS on anything. */
  options: "/.options",
  /** Bytes that are not URL characters. */
  undecodable: "/.undecodable",
} as const;

/** The API's description. The reference takes a first segment for a version, and no version can be called like this. */
export const openapiPath = "/openapi.json";

/** Answered as they are, whatever the method. */
const unversionedPaths: readonly string[] = ["/versions", "/metrics", openapiPath];

const mediaTypePrefix = "application/vnd.openstack.images-";

/** Returns the function Fastify calls with each request before routing. */
export function createUrlRewrite(
  release: Release,
  features: ApiFeatures,
  healthPaths: readonly string[],
): (request: IncomingMessage) => string {
  const unversioned = [...unversionedPaths, ...healthPaths];
  const segments = new Set(["v2", ...release.apiVersions(features).map((version) => version.id)]);

  return (request) => {
    const url = request.url ?? "/";
    const accept = request.headers.accept;
    const byAccept = accept?.startsWith(mediaTypePrefix) === true;
    // Nearly every request: nothing to rewrite.
    if (url.startsWith("/v2/") && !byAccept && request.method !== "OPTIONS" && !unusual.test(url)) return url;
    return rewrite(url, request.method ?? "GET", byAccept ? (accept ?? "").slice(mediaTypePrefix.length) : null);
  };

  function rewrite(given: string, method: string, acceptedVersion: string | null): string {
    if (notUrl.test(given)) return internalPaths.undecodable;
    const url = withoutOrigin(given);
    const { path, query } = split(url);
    if (method === "OPTIONS" && !healthPaths.includes(path)) return internalPaths.options;
    if (unversioned.includes(path)) return url;
    if (acceptedVersion !== null)
      return segments.has(acceptedVersion.trim()) ? `/v2${path}${query}` : internalPaths.versionChoice;
    const [, first = "", rest = ""] = /^\/+([^/]*)(.*)$/.exec(path) ?? [];
    const segment = decoded(first);
    if (segment === null) return internalPaths.undecodable;
    if (!segments.has(segment)) return internalPaths.versionChoice;
    if (rest === "") return internalPaths.versionRedirect;
    return `/v2${rest.replace(/\/{2,}/g, "/")}${query}`;
  }
}

/** Doubled slashes in the path, or bytes that have no place in a URL. */
const unusual = /^[^?]*\/\/|[^\x21-\x7e]/;
const notUrl = /[^\x21-\x7e]/;

/** Proxies may send `GET http://host/path`; the host is that of the Host header then. */
function withoutOrigin(url: string): string {
  if (url.startsWith("/")) return url;
  const path = /^[a-z][a-z0-9+.-]*:\/\/[^/?]*(.*)$/i.exec(url)?.[1];
  return path?.startsWith("/") ? path : `/${path ?? ""}`;
}

function split(url: string): { path: string; query: string } {
  const at = url.search(/[?#]/);
  return at === -1 ? { path: url, query: "" } : { path: url.slice(0, at), query: url.slice(at) };
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    // Not UTF-8: no version is called like that, and the client has made a mistake it should hear of.
    return null;
  }
}
