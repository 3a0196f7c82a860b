// What keeps the console to those who are meant to see it: headers on every answer, whose pages may ask, and the token for orders.
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

/** No script, style or request but from this very server, and in nobody's frame. */
export const securityHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

export const tokenHeader = "x-console-token";
export const tokenCharactersMin = 16;

/** Why a request is not answered at all; null where it is. */
export function refusalOf(headers: IncomingHttpHeaders, listens: string): string | null {
  const { host, origin } = headers;
  const name = host === undefined ? undefined : hostNameOf(host);
  // A name that an attacker's DNS leads here would make their page one of this origin.
  if (name === undefined || !isOwnName(name, listens))
    return `this console is not ${host ?? "what was asked for"}; open it by the address it printed`;
  // Absent: the browser asks for a page, or for what is of the same origin.
  if (origin !== undefined && origin !== `http://${host}`) return "another site's page may not ask this console";
  const site = headers["sec-fetch-site"];
  if (site === "cross-site" && headers["sec-fetch-mode"] !== "navigate")
    return "another site's page may not ask this console";
  return null;
}

/** Takes as long for a wrong token as for a right one, however much of it is right. */
export function isToken(given: string | string[] | undefined, token: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return typeof given === "string" && timingSafeEqual(digest(given), digest(token));
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function hostNameOf(host: string): string | undefined {
  try {
    return new URL(`http://${host}`).hostname.replace(/^\[(.*)\]$/, "$1");
  } catch {
    return undefined;
  }
}

/** Whoever came through a tunnel asks for its end, which is on loopback under any port. */
function isOwnName(name: string, listens: string): boolean {
  return name === listens || (isLoopback(name) && isLoopback(listens)) || (name === "localhost" && isLoopback(listens));
}
