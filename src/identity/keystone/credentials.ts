// Where Keystone is and as whom the service asks it: the options that every section with credentials has, and what is made of them.
import { ServiceError } from "../../core/errors.ts";
import { type GroupValues, optionGroup } from "../../core/options.ts";

/** Options of a section of glance-api.conf that says how to log in. */
export function credentialOptions(section: string) {
  const older = (...names: readonly string[]) => names.map((name) => `${section}.${name}`);
  return optionGroup(section, {
    auth_url: {
      type: "string",
      default: null,
      deprecated: older("identity_uri"),
      help: "Keystone, where the service gets its own token: such as https://keystone.example:5000, with /v3 or without.",
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
    default_domain_name: {
      type: "string",
      default: null,
      help: "Domain of user and project where theirs is not given.",
    },
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
  });
}

export type CredentialValues = GroupValues<ReturnType<typeof credentialOptions>>;

export type Credentials = {
  /** The section of glance-api.conf, for messages. */
  readonly section: string;
  /** Ends with `/v3`. */
  readonly authUrl: string;
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
};

type Options = { readonly section: string; readonly values: CredentialValues };

/** Throws config.invalid naming the section and what it lacks. */
export function readCredentials(section: string, values: CredentialValues): Credentials {
  const options = { section, values };
  return {
    section,
    authUrl: v3Url(required(options, "auth_url"), section),
    credentials: { auth: { identity: identityOf(options), ...scopeOf(options) } },
    interface: values.interface.replace(/URL$/, ""),
    region: values.region_name || null,
    tls: {
      caFile: values.cafile || null,
      certFile: values.certfile || null,
      keyFile: values.keyfile || null,
      insecure: values.insecure,
    },
  };
}

/** Keystone's third version, whatever the operator wrote behind the host. */
export function v3Url(text: string, section: string): string {
  const url = text.trim().replace(/\/+$/, "");
  if (!/^https?:\/\/[^\s/?#]+[^\s?#]*$/i.test(url))
    throw invalid(
      section,
      "auth_url",
      `is "${text}": give a URL with http or https, such as https://keystone.example:5000`,
    );
  return `${url.replace(/\/v[\d.]+$/, "")}/v3`;
}

function identityOf(options: Options): object {
  const { values } = options;
  const { user_id: id, username: name } = values;
  const domain = domainOf(values, "user");
  const user = id ? { id } : { name, domain };
  if (values.auth_type === "v3applicationcredential") {
    const secret = required(options, "application_credential_secret");
    const { application_credential_id: credential } = values;
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
  const { section, values } = options;
  if (values.auth_type === "v3applicationcredential") return {};
  if (values.system_scope) {
    if (values.system_scope !== "all")
      throw invalid(section, "system_scope", `is "${values.system_scope}": allowed is all`);
    return { scope: { system: { all: true } } };
  }
  if (values.domain_id) return { scope: { domain: { id: values.domain_id } } };
  if (values.domain_name) return { scope: { domain: { name: values.domain_name } } };
  if (values.project_id) return { scope: { project: { id: values.project_id } } };
  const name = required(options, "project_name");
  return { scope: { project: { name, domain: domainOf(values, "project") } } };
}

/** Where nothing is said, Keystone's own first domain, as in the times before there were several. */
function domainOf(options: CredentialValues, of: "user" | "project"): object {
  const id = of === "user" ? options.user_domain_id : options.project_domain_id;
  const name = of === "user" ? options.user_domain_name : options.project_domain_name;
  if (id) return { id };
  if (name) return { name };
  if (options.default_domain_id) return { id: options.default_domain_id };
  return options.default_domain_name ? { name: options.default_domain_name } : { id: "default" };
}

type Text = "auth_url" | "username" | "password" | "project_name" | `application_credential_${"name" | "secret"}`;

function required(options: Options, name: Text): string {
  const value = options.values[name];
  if (value) return value;
  throw invalid(options.section, name, "is not set; the service needs it to log in to Keystone");
}

function invalid(section: string, option: string, why: string): ServiceError {
  return new ServiceError("config.invalid", `[${section}] ${option} ${why}.`, {
    facts: { section, option },
  });
}
