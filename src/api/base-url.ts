// The URL under which the client reached this service: the beginning of Location and of the links in the versions document.
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { ApiSettings } from "./config.ts";

/** Scheme, host and perhaps a path, without a trailing slash. */
export function baseUrlOf(request: IncomingMessage, settings: ApiSettings): string {
  if (settings.publicEndpoint !== null) return settings.publicEndpoint;
  const proxy = settings.trustProxyHeaders ? proxyView(request) : {};
  const scheme = proxy.scheme ?? schemeFromHeader(request, settings.schemeHeader) ?? "http";
  return `${scheme}://${proxy.host ?? request.headers.host ?? ownAddress(request.socket)}${proxy.prefix ?? ""}`;
}

type ProxyView = { readonly scheme?: string; readonly host?: string; readonly prefix?: string };

/** `Forwarded` (RFC 7239) wins over the older headers; of several proxies the first, the one nearest to the client, counts. */
function proxyView(request: IncomingMessage): ProxyView {
  const forwarded = first(request, "forwarded");
  if (forwarded !== undefined) {
    const pairs = new Map(
      forwarded.split(";").map((pair): [string, string] => {
        const at = pair.indexOf("=");
        const value = pair.slice(at + 1).trim();
        return [pair.slice(0, at).trim().toLowerCase(), value.replace(/^"(.*)"$/, "$1")];
      }),
    );
    return view(pairs.get("proto"), pairs.get("host"), undefined);
  }
  const host = first(request, "x-forwarded-host");
  const port = first(request, "x-forwarded-port");
  const named = host ?? request.headers.host;
  // A port of its own is added to a host that names none.
  const whole = port !== undefined && /^\d+$/.test(port) && named !== undefined && !/:\d+$/.test(named);
  return view(
    first(request, "x-forwarded-proto"),
    whole ? `${named}:${port}` : host,
    first(request, "x-forwarded-prefix"),
  );
}

function view(scheme: string | undefined, host: string | undefined, prefix: string | undefined): ProxyView {
  const known = scheme !== undefined && /^https?$/i.test(scheme) ? { scheme: scheme.toLowerCase() } : {};
  const named = host !== undefined && /^[^\s/?#@]+$/.test(host) ? { host } : {};
  const path = prefix?.replace(/\/+$/, "");
  return { ...known, ...named, ...(path?.startsWith("/") ? { prefix: path } : {}) };
}

function schemeFromHeader(request: IncomingMessage, name: string | null): string | undefined {
  const value = name === null ? undefined : first(request, name)?.toLowerCase();
  return value === "http" || value === "https" ? value : undefined;
}

function first(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  const text = (Array.isArray(value) ? value[0] : value)?.split(",")[0]?.trim();
  return text === "" ? undefined : text;
}

/** For clients of HTTP/1.0, which need not name a host. */
function ownAddress(socket: Socket): string {
  const address = socket.localAddress ?? "localhost";
  return `${address.includes(":") ? `[${address}]` : address}:${socket.localPort ?? 80}`;
}
