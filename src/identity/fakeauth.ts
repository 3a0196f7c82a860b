// The flavor `fakeauth`, for tests and demonstrations: the token itself says who the caller is, and is believed. It therefore listens
// on loopback only, unless the operator insists.
import type { IncomingHttpHeaders } from "node:http";
import { BlockList, isIP } from "node:net";
import type { Caller } from "../core/caller.ts";
import { ServiceError } from "../core/errors.ts";
import type { CallerSource } from "./caller-source.ts";
import type { Identity } from "./identity.ts";

/** Columns of the database hold 255 characters; a longer project could be stored nowhere. */
const nameCharsMax = 255;
const noProject = "none";

/** What a role brings with it, as a Keystone that was set up by its own `bootstrap` hands them out. */
const impliedRoles: Readonly<Record<string, readonly string[]>> = { admin: ["member", "reader"], member: ["reader"] };

/** `X-Auth-Token: user:project:role[,role]`; project `none` is no project, admin is a member too, and a member a reader. Throws identity.unauthenticated. */
function authenticateFakeauth(headers: IncomingHttpHeaders, requestId: string): Caller {
  const token = headers["x-auth-token"];
  if (typeof token !== "string" || token === "") throw unauthenticated("There is no X-Auth-Token.");
  const parts = percentDecoded(token)
    .split(":")
    .map((part) => part.trim());
  const [user = "", project = "", roles = ""] = parts;
  const named = [user, project].every((name) => name !== "" && name.length <= nameCharsMax);
  if (parts.length !== 3 || !named)
    throw unauthenticated("The X-Auth-Token is not of the form user:project:role[,role].");
  const names = roles.split(",").map((role) => role.trim().toLowerCase());
  return {
    userId: user,
    projectId: project === noProject ? null : project,
    roles: [...new Set(names.flatMap((role) => (role === "" ? [] : [role, ...(impliedRoles[role] ?? [])])))],
    isAdmin: false,
    requestId,
  };
}

export const fakeauth: Identity = { authenticate: authenticateFakeauth };

/** The glance client sends `:` in headers as `%3A`. What is no valid encoding is taken as it stands. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function unauthenticated(message: string): ServiceError {
  return new ServiceError("identity.unauthenticated", message, { facts: { challenge: 'Token realm="images"' } });
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/**
 * Refuses (config.invalid) a service that believes every token and can be reached from elsewhere. `bindHost` is an address or a name;
 * of names only `localhost` is known to be loopback.
 */
export function refuseExposedFakeauth(options: { callers: CallerSource; bindHost: string; anywhere: boolean }): void {
  if (options.callers !== "fakeauth" || options.anywhere || isLoopback(options.bindHost)) return;
  throw new ServiceError(
    "config.invalid",
    `[paste_deploy] flavor is fakeauth, which believes every token, but [DEFAULT] bind_host is ${options.bindHost}. ` +
      "Listen on 127.0.0.1, or set [perennial] fakeauth_anywhere = true if that is meant.",
    { facts: { section: "DEFAULT", option: "bind_host", value: options.bindHost } },
  );
}

function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  if (isIP(address) === 0) return address === "localhost";
  return loopback.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}
