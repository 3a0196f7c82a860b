// What Keystone says a token is: who, for what, with which roles, and until when.
import type { Caller } from "../../core/caller.ts";

/** All of a caller but what belongs to one request. */
export type TokenCaller = Omit<Caller, "requestId" | "isAdmin" | "serviceRoles">;

export type TokenFacts = {
  readonly caller: TokenCaller;
  /** Milliseconds since the epoch, by Keystone's clock. */
  readonly expiresMs: number;
};

type Named = { readonly id?: unknown; readonly name?: unknown; readonly domain?: { readonly id?: unknown } };

type TokenBody = {
  readonly user?: Named;
  readonly project?: Named;
  readonly domain?: Named;
  readonly system?: { readonly all?: unknown };
  readonly roles?: readonly Named[];
  readonly expires_at?: unknown;
};

/** undefined where it is no token of version 3: then nobody may be believed to be anybody. */
export function tokenFacts(body: unknown): TokenFacts | undefined {
  const token = (body as { token?: TokenBody } | undefined)?.token;
  if (typeof token !== "object" || token === null) return undefined;
  const userId = text(token.user?.id);
  const expiresMs = typeof token.expires_at === "string" ? Date.parse(token.expires_at) : Number.NaN;
  const roles = Array.isArray(token.roles) ? token.roles.map((role) => text((role as Named | null)?.name)) : [];
  if (userId === null || Number.isNaN(expiresMs) || roles.includes(null)) return undefined;
  return {
    caller: {
      userId,
      projectId: text(token.project?.id),
      roles: [...new Set(roles.map((role) => (role ?? "").toLowerCase()))],
      systemScope: token.system?.all === true ? "all" : null,
      domainId: text(token.domain?.id),
      userDomainId: text(token.user?.domain?.id),
      projectDomainId: text(token.project?.domain?.id),
    },
    expiresMs,
  };
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
