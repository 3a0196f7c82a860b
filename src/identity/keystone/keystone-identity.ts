// Callers whose tokens are Keystone's: X-Auth-Token says who calls, X-Service-Token which service forwards the call. A token is looked at once, when
// the request comes in: an upload that takes longer than its token lives goes on.
import type { IncomingHttpHeaders } from "node:http";
import type { Caller } from "../../core/caller.ts";
import { ServiceError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { anonymous } from "../anonymous.ts";
import type { Identity } from "../identity.ts";
import type { KeystoneSettings } from "./config.ts";
import type { TokenValidator, Verdict } from "./token-validator.ts";

type Deps = {
  readonly settings: Pick<KeystoneSettings, "publicUrl" | "serviceRoles" | "serviceRolesRequired" | "delayDecision">;
  readonly tokens: Pick<TokenValidator, "validate">;
  readonly allowAnonymous: boolean;
  readonly logger: Logger;
};

export class KeystoneIdentity implements Identity {
  readonly #deps: Deps;
  readonly #challenge: string;
  #warned = false;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#challenge = `Keystone uri="${deps.settings.publicUrl}"`;
  }

  /** Throws identity.unauthenticated, identity.unavailable. At once where the token is remembered. */
  authenticate(headers: IncomingHttpHeaders, requestId: string): Caller | Promise<Caller> {
    const token = tokenOf(headers, "x-auth-token");
    const service = tokenOf(headers, "x-service-token");
    if (service !== null) return this.#forwarded(token, service, requestId);
    const verdict = token === null ? undefined : this.#deps.tokens.validate(token);
    if (verdict instanceof Promise) return verdict.then((one) => this.#callerOf(one, requestId));
    return this.#callerOf(verdict, requestId);
  }

  async #forwarded(token: string | null, service: string, requestId: string): Promise<Caller> {
    const { settings, tokens } = this.#deps;
    const forwarder = await tokens.validate(service);
    const named = forwarder?.roles.some((role) => settings.serviceRoles.includes(role)) === true;
    const taken = forwarder !== undefined && (named || !settings.serviceRolesRequired);
    if (!taken && !settings.delayDecision) throw this.#unauthenticated("The X-Service-Token is not valid.");
    if (taken && !named && !this.#warned) {
      this.#warned = true;
      const roles = settings.serviceRoles.join(", ");
      this.#deps.logger.warn(`a service's token without any of service_token_roles (${roles}) was taken`);
    }
    const verdict = token === null ? undefined : await tokens.validate(token, { allowExpired: named });
    const caller = this.#callerOf(verdict, requestId);
    return taken && verdict ? { ...caller, serviceRoles: forwarder.roles } : caller;
  }

  #callerOf(verdict: Verdict, requestId: string): Caller {
    if (verdict) return { ...verdict, isAdmin: false, requestId };
    const { allowAnonymous, settings } = this.#deps;
    if (allowAnonymous && settings.delayDecision) return anonymous(requestId);
    throw this.#unauthenticated("This request needs a valid token of Keystone's in X-Auth-Token.");
  }

  #unauthenticated(message: string): ServiceError {
    return new ServiceError("identity.unauthenticated", message, { facts: { challenge: this.#challenge } });
  }
}

function tokenOf(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name];
  const text = (Array.isArray(value) ? value[0] : value)?.trim();
  // Other bytes can stand in no header of ours: nothing like it was ever issued.
  return text ? text.replace(/[^\x21-\x7e]/g, "?") : null;
}
