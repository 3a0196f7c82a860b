// [keystone_authtoken] of glance-api.conf: where Keystone is, as whom the service asks it, and how long its word holds.
import type { Config } from "../../core/config.ts";
import { ServiceError } from "../../core/errors.ts";
import { readWithFilter } from "../../core/filter-options.ts";
import { optionGroup } from "../../core/options.ts";

const older = (...names: readonly string[]) => names.map((name) => `keystone_authtoken.${name}`);

export const keystoneOptions = optionGroup("keystone_authtoken", {
  auth_url: {
    type: "string",
    default: null,
    deprecated: older("identity_uri"),
    help: "Keystone, where the service gets its own token: such as https://keystone.example:5000, with /v3 or without.",
  },
  www_authenticate_uri: {
    type: "string",
    default: null,
    deprecated: older("auth_uri"),
    help: "Keystone as clients reach it: what WWW-Authenticate says on 401. Unset: auth_url.",
  },
  auth_type: {
    type: "string",
    default: "password",
    choices: ["password", "v3password", "v3applicationcredential"],
    deprecated: older("auth_plugin"),
    help: "How the service proves who it is.",
  },
  username: {
    type: "string",
    default: null,
    deprecated: older("user_name", "admin_user"),
    help: "The service's user, usually glance.",
  },
  user_id: { type: "string", default: null, help: "The service's user by its id, instead of username." },
  password: {
    type: "string",
    default: null,
    secret: true,
    deprecated: older("admin_password"),
    help: "The service's password.",
  },
  user_domain_name: { type: "string", default: null, help: "Domain of username." },
  user_domain_id: { type: "string", default: null, help: "Domain of username by its id." },
  project_name: {
    type: "string",
    default: null,
    deprecated: older("tenant_name", "admin_tenant_name"),
    help: "The project the service's token is for, usually service.",
  },
  project_id: { type: "string", default: null, deprecated: older("tenant_id"), help: "That project by its id." },
  project_domain_name: { type: "string", default: null, help: "Domain of project_name." },
  project_domain_id: { type: "string", default: null, help: "Domain of project_name by its id." },
  default_domain_name: { type: "string", default: null, help: "Domain of user and project where theirs is not given." },
  default_domain_id: { type: "string", default: null, help: "That domain by its id." },
  domain_name: { type: "string", default: null, help: "The service's token is for this domain, and for no project." },
  domain_id: { type: "string", default: null, help: "That domain by its id." },
  system_scope: {
    type: "string",
    default: null,
    help: "all: the service's token is for the whole system, and for no project.",
  },
  application_credential_id: { type: "string", default: null, help: "For auth_type v3applicationcredential." },
  application_credential_name: {
    type: "string",
    default: null,
    help: "For auth_type v3applicationcredential, with the user it belongs to.",
  },
  application_credential_secret: {
    type: "string",
    default: null,
    secret: true,
    help: "For auth_type v3applicationcredential.",
  },
  interface: {
    type: "string",
    default: "internal",
    choices: ["public", "internal", "admin", "publicURL", "internalURL", "adminURL"],
    help: "Which of Keystone's endpoints in the catalog tokens are validated at. Where the catalog has none, auth_url is asked.",
  },
  region_name: { type: "string", default: null, help: "Region of that endpoint. Unset: the first of any region." },
  cafile: {
    type: "string",
    default: null,
    help: "PEM file of the authorities that Keystone's certificate may come from. Unset: those of Node.js and of the system.",
  },
  certfile: { type: "string", default: null, help: "PEM file of a certificate to show to Keystone." },
  keyfile: { type: "string", default: null, help: "PEM file of that certificate's key." },
  insecure: { type: "boolean", default: false, help: "Take any certificate of Keystone's." },
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
    deprecated: older("memcache_servers"),
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

export type KeystoneSettings = {
  /** Ends with `/v3`. */
  readonly authUrl: string;
  readonly publicUrl: string;
  /** The body of the request for the service's token. */
  readonly credentials: object;
  readonly interface: string;
  readonly region: string | null;
  readonly tls: {
    readonly caFile: string | null;
    readonly certFile: string | null;
    readonly keyFile: string | null;
    readonly insecure: boolean;
  };
  readonly answerMsMax: number;
  readonly retriesMax: number;
  readonly cacheMs: number;
  /** Lower-cased. */
  readonly serviceRoles: readonly string[];
  readonly serviceRolesRequired: boolean;
  readonly delayDecision: boolean;
};

type Options = ReturnType<typeof readOptions>;

function readOptions(config: Pick<Config, "read">, filter: Readonly<Record<string, string>>) {
  return readWithFilter(config, keystoneOptions, filter);
}

/** `filter`: what the paste file's [filter:authtoken] says, which goes before the rest. Throws config.invalid. */
export function readKeystoneSettings(
  config: Pick<Config, "read">,
  filter: Readonly<Record<string, string>>,
): KeystoneSettings {
  const options = readOptions(config, filter);
  const authUrl = v3Url(required(options, "auth_url"));
  return {
    authUrl,
    publicUrl: options.www_authenticate_uri || options.auth_url || authUrl,
    credentials: { auth: { identity: identityOf(options), ...scopeOf(options) } },
    interface: options.interface.replace(/URL$/, ""),
    region: options.region_name || null,
    tls: {
      caFile: options.cafile || null,
      certFile: options.certfile || null,
      keyFile: options.keyfile || null,
      insecure: options.insecure,
    },
    answerMsMax: options.http_connect_timeout * 1000,
    retriesMax: options.http_request_max_retries,
    cacheMs: Math.max(0, options.token_cache_time) * 1000,
    serviceRoles: options.service_token_roles.map((role) => role.toLowerCase()),
    serviceRolesRequired: options.service_token_roles_required,
    delayDecision: options.delay_auth_decision,
  };
}

/** Keystone's third version, whatever the operator wrote behind the host. */
export function v3Url(text: string): string {
  const url = text.trim().replace(/\/+$/, "");
  if (!/^https?:\/\/[^\s/?#]+[^\s?#]*$/i.test(url))
    throw invalid("auth_url", `is "${text}": give a URL with http or https, such as https://keystone.example:5000`);
  return `${url.replace(/\/v[\d.]+$/, "")}/v3`;
}

function identityOf(options: Options): object {
  const { user_id: id, username: name } = options;
  const domain = domainOf(options, "user");
  const user = id ? { id } : { name, domain };
  if (options.auth_type === "v3applicationcredential") {
    const secret = required(options, "application_credential_secret");
    const { application_credential_id: credential } = options;
    const which = credential
      ? { id: credential }
      : { name: required(options, "application_credential_name"), user: id ? user : named(options, user) };
    return { methods: ["application_credential"], application_credential: { ...which, secret } };
  }
  const password = required(options, "password");
  return { methods: ["password"], password: { user: { ...(id ? user : named(options, user)), password } } };
}

function named<T>(options: Options, user: T): T {
  required(options, "username");
  return user;
}

/** An application credential has its own scope. */
function scopeOf(options: Options): { readonly scope?: object } {
  if (options.auth_type === "v3applicationcredential") return {};
  if (options.system_scope) {
    if (options.system_scope !== "all") throw invalid("system_scope", `is "${options.system_scope}": allowed is all`);
    return { scope: { system: { all: true } } };
  }
  if (options.domain_id) return { scope: { domain: { id: options.domain_id } } };
  if (options.domain_name) return { scope: { domain: { name: options.domain_name } } };
  if (options.project_id) return { scope: { project: { id: options.project_id } } };
  const name = required(options, "project_name");
  return { scope: { project: { name, domain: domainOf(options, "project") } } };
}

/** Where nothing is said, Keystone's own first domain, as in the times before there were several. */
function domainOf(options: Options, of: "user" | "project"): object {
  const id = of === "user" ? options.user_domain_id : options.project_domain_id;
  const name = of === "user" ? options.user_domain_name : options.project_domain_name;
  if (id) return { id };
  if (name) return { name };
  if (options.default_domain_id) return { id: options.default_domain_id };
  return options.default_domain_name ? { name: options.default_domain_name } : { id: "default" };
}

type Text = "auth_url" | "username" | "password" | "project_name" | `application_credential_${"name" | "secret"}`;

function required(options: Options, name: Text): string {
  const value = options[name];
  if (value) return value;
  throw invalid(name, "is not set; it is needed where callers are Keystone's ([paste_deploy] flavor)");
}

function invalid(option: string, why: string): ServiceError {
  return new ServiceError("config.invalid", `[keystone_authtoken] ${option} ${why}.`, {
    facts: { section: "keystone_authtoken", option },
  });
}
