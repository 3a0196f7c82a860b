// Callers that a proxy in front has found out about: it says so in headers, which are believed as they come. So nobody else may reach the node.
import type { IncomingHttpHeaders } from "node:http";
import type { Caller } from "../core/caller.ts";
import { ServiceError } from "../core/errors.ts";
import { anonymous } from "./anonymous.ts";
import type { Identity } from "./identity.ts";

/** The names of Keystone's middleware; X-Tenant-Id is the older name of X-Project-Id. */
export function headerIdentity(options: { allowAnonymous: boolean }): Identity {
  return {
    authenticate(headers, requestId) {
      const header = (name: string) => textOf(headers, name);
      if (header("x-identity-status") !== "Confirmed") {
        if (options.allowAnonymous) return anonymous(requestId);
        const message = "This request is not from a confirmed user (X-Identity-Status).";
        throw new ServiceError("identity.unauthenticated", message, { facts: { challenge: 'Token realm="images"' } });
      }
      return {
        userId: header("x-user-id"),
        projectId: header("x-project-id") ?? header("x-tenant-id"),
        roles: rolesOf(header("x-roles")),
        ...serviceRoles(header("x-service-roles")),
        systemScope: header("openstack-system-scope"),
        domainId: header("x-domain-id"),
        userDomainId: header("x-user-domain-id"),
        projectDomainId: header("x-project-domain-id"),
        isAdmin: false,
        requestId,
      };
    },
  };
}

function serviceRoles(text: string | null): Pick<Caller, "serviceRoles"> {
  return text === null ? {} : { serviceRoles: rolesOf(text) };
}

function rolesOf(text: string | null): readonly string[] {
  const names = (text ?? "").split(",").map((role) => role.trim().toLowerCase());
  return [...new Set(names.filter((role) => role !== ""))];
}

function textOf(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value)?.trim() || null;
}
