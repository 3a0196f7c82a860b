// [keystone_authtoken] of glance-api.conf: where Keystone is, as whom the service asks it, and how long its word holds.
import type { Config } from "../../core/config.ts";
import { readWithFilter } from "../../core/filter-options.ts";
import { optionGroup } from "../../core/options.ts";
import { type Credentials, credentialOptions, readCredentials } from "./credentials.ts";

const section = "keystone_authtoken";

export const keystoneOptions = optionGroup(section, {
  ...credentialOptions(section).options,
  www_authenticate_uri: {
    type: "string",
    default: null,
    deprecated: ["keystone_authtoken.auth_uri"],
    help: "Keystone as clients reach it: what WWW-Authenticate says on 401. Unset: auth_url.",
  },
  http_connect_timeout: {
    type: "number",
    default: 10,
    min: 0.05,
    max: 300,
    help: "Seconds that Keystone may take for an answer, repetitions included; then the request is answered 503.",
  },
  http_request_max_retries: {
    type: "integer",
    default: 3,
    min: 0,
    max: 20,
    help: "How often a call that did not reach Keystone, or met a 502, 503 or 504, is made again within that time.",
  },
  token_cache_time: {
    type: "integer",
    default: 300,
    min: -1,
    max: 86_400,
    help: "Seconds a validated token is believed without asking again, never beyond its expiry: what a revocation takes to be noticed. -1 or 0: each request asks.",
  },
  memcached_servers: {
    type: "list",
    default: [],
    deprecated: ["keystone_authtoken.memcache_servers"],
    help: "Not asked: each worker remembers up to 10,000 tokens itself, and workers ask Keystone once each.",
  },
  service_token_roles: {
    type: "list",
    default: ["service"],
    help: "Roles of which an X-Service-Token needs one to vouch for a user's token that has expired meanwhile.",
  },
  service_token_roles_required: {
    type: "boolean",
    default: false,
    help: "Take no X-Service-Token without one of those roles.",
  },
  delay_auth_decision: {
    type: "boolean",
    default: true,
    help: "A service's token that is not valid leaves a request without a service's roles. false: such a request is refused, and nobody is anonymous.",
  },
});

export type KeystoneSettings = Credentials & {
  readonly publicUrl: string;
  readonly answerMsMax: number;
  readonly retriesMax: number;
  readonly cacheMs: number;
  /** Lower-cased. */
  readonly serviceRoles: readonly string[];
  readonly serviceRolesRequired: boolean;
  readonly delayDecision: boolean;
};

/** `filter`: what the paste file's [filter:authtoken] says, which goes before the rest. Throws config.invalid. */
export function readKeystoneSettings(
  config: Pick<Config, "read">,
  filter: Readonly<Record<string, string>>,
): KeystoneSettings {
  const options = readWithFilter(config, keystoneOptions, filter);
  const credentials = readCredentials(section, options);
  return {
    ...credentials,
    publicUrl: options.www_authenticate_uri || options.auth_url || credentials.authUrl,
    answerMsMax: options.http_connect_timeout * 1000,
    retriesMax: options.http_request_max_retries,
    cacheMs: Math.max(0, options.token_cache_time) * 1000,
    serviceRoles: options.service_token_roles.map((role) => role.toLowerCase()),
    serviceRolesRequired: options.service_token_roles_required,
    delayDecision: options.delay_auth_decision,
  };
}
