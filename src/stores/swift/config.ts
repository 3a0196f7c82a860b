// Options of the Swift store under Glance's names, the file of its accounts, and their reading into the store's own terms.
import { parseConfig, readConfigText } from "../../core/config-parser.ts";
import { type GroupValues, type OptionGroup, type OptionSpec, optionGroup } from "../../core/options.ts";
import { invalid } from "../config.ts";
import type { StoreDriver } from "../driver.ts";
import { readCa } from "../http/config.ts";
import { containerOf } from "./containers.ts";
import { ServiceAccounts } from "./service-accounts.ts";
import type { SwiftReference } from "./swift-auth.ts";
import type { SwiftAccess } from "./swift-login.ts";
import { openSwiftStore } from "./swift-store.ts";
import { UserAccounts } from "./user-accounts.ts";

const megabyte = 1_048_576;
/** Keys are ids of images. */
const longestKey = "00000000-0000-4000-8000-000000000000";

export const swiftStoreOptions = {
  default_swift_reference: {
    type: "string",
    default: "ref1",
    help: "The account of swift_store_config_file that image data goes to. Locations are found by this name: do not change it.",
  },
  swift_store_config_file: {
    type: "string",
    default: null,
    help: "INI file of Swift accounts, a section each: auth_address, user, key, auth_version (1 or 3), and for Keystone project_domain_id or _name, user_domain_id or _name (default: default). Unset: the account is that of the four options below.",
  },
  swift_store_auth_version: {
    type: "string",
    default: "2",
    help: "Without swift_store_config_file: 1 for Swift's own authentication, 3 for Keystone; 2, which Keystone does not have any more, is refused.",
  },
  swift_store_auth_address: {
    type: "string",
    default: null,
    help: "Without swift_store_config_file: URL of the authentication, such as https://keystone.example/v3 or https://swift.example/auth/v1.0.",
  },
  swift_store_user: {
    type: "string",
    default: null,
    secret: true,
    help: "Without swift_store_config_file: account:user, for Keystone project:user.",
  },
  swift_store_key: {
    type: "string",
    default: null,
    secret: true,
    help: "Without swift_store_config_file: the user's key or password.",
  },
  swift_store_container: {
    type: "string",
    default: "glance",
    help: "The container that image data goes to; with swift_store_multiple_containers_seed the beginning of the containers' names.",
  },
  swift_store_create_container_on_put: {
    type: "boolean",
    default: false,
    help: "Make the container with the first upload, where it is missing.",
  },
  swift_store_large_object_size: {
    type: "integer",
    default: 5_120,
    min: 1,
    help: "Shown to admins only: every image is stored in segments, so that it appears whole or not at all.",
  },
  swift_store_large_object_chunk_size: {
    type: "integer",
    default: 200,
    min: 1,
    max: 5_120,
    help: "Megabytes of a segment; after each 200 segments of an image they are twice as large.",
  },
  swift_store_region: {
    type: "string",
    default: null,
    help: "Region of the endpoint in Keystone's catalog. Unset: any.",
  },
  swift_store_endpoint: {
    type: "string",
    default: null,
    help: "URL of the account, in the place of what authentication tells.",
  },
  swift_store_endpoint_type: {
    type: "string",
    default: "publicURL",
    choices: ["publicURL", "internalURL", "adminURL"],
    help: "Kind of endpoint that is taken from Keystone's catalog.",
  },
  swift_store_service_type: { type: "string", default: "object-store", help: "Type of service in Keystone's catalog." },
  swift_store_auth_insecure: {
    type: "boolean",
    default: false,
    help: "Believe any certificate of Keystone and Swift.",
  },
  swift_store_cacert: {
    type: "string",
    default: null,
    help: "PEM file of the authorities that vouch for Keystone and Swift. Unset: those of the system.",
  },
  swift_store_multi_tenant: {
    type: "boolean",
    default: false,
    help: "Image data lies in accounts of the projects that own the images, a container for each image. The user of swift_store_user needs a role that Swift has as its reseller_admin_role; swift_store_auth_version has to be 3. false: it lies in an account of the service.",
  },
  swift_store_admin_tenants: {
    type: "list",
    default: [],
    help: "With swift_store_multi_tenant: ids of projects that may write into the containers of images.",
  },
  swift_store_multiple_containers_seed: {
    type: "integer",
    default: 0,
    min: 0,
    max: 32,
    help: "So many characters of an image's id, dashes not counted, are appended to swift_store_container with an underscore: images are spread over as many containers as there are such beginnings (16 for 1, 256 for 2). They have to exist, or swift_store_create_container_on_put has to be true. 0: one container. It can be changed: what is stored is found where it is.",
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;

type Values = GroupValues<OptionGroup<typeof swiftStoreOptions>>;

export const swiftDriver: StoreDriver = {
  type: "swift",
  aliases: ["swift", "swift+http", "swift+https", "swift+config"],
  options: swiftStoreOptions,
  configure(config, section) {
    const options = config.read(optionGroup(section, swiftStoreOptions));
    const refuse = (option: string, value: string, what: string) => invalid(section, option, value, what);
    const container = options.swift_store_container;
    const idCharacters = options.swift_store_multiple_containers_seed;
    const ofUsers = options.swift_store_multi_tenant;
    const longest = containerOf(
      { name: container, idCharacters: ofUsers ? longestKey.length : idCharacters },
      longestKey,
    );
    if (!/^[^/?#\s]{1,255}$/.test(longest))
      throw refuse("swift_store_container", container, "that is no name of a container.");
    const { swift_store_endpoint: endpoint, swift_store_cacert: file } = options;
    if (endpoint !== null && !isWebUrl(endpoint))
      throw refuse("swift_store_endpoint", endpoint, "give an http or https URL.");
    const ca = file === null ? {} : { ca: readCa(section, "swift_store_cacert", file) };
    const choice = {
      serviceType: options.swift_store_service_type,
      interface: options.swift_store_endpoint_type.replace("URL", ""),
      region: options.swift_store_region,
    };
    const [first, ...others] = readReferences(section, options).map(
      (reference): SwiftAccess => ({ reference, choice, endpoint, insecure: options.swift_store_auth_insecure, ...ca }),
    );
    if (!first) throw new Error("the default reference is one of them");
    const common = {
      container,
      segmentBytes: options.swift_store_large_object_chunk_size * megabyte,
      largeObjectMb: options.swift_store_large_object_size,
    };
    if (ofUsers) {
      const why = whyNotOfUsers(options, first.reference);
      if (why !== null) throw refuse("swift_store_multi_tenant", "true", why);
      const { swift_store_admin_tenants: adminProjects } = options;
      return {
        places: [`swift accounts of users/${container}`],
        open: async () =>
          openSwiftStore({ ...common, places: new UserAccounts({ access: first, container, adminProjects }) }),
      };
    }
    return {
      places: [`swift+config://${first.reference.name}/${container}`],
      open: async () =>
        openSwiftStore({
          ...common,
          places: new ServiceAccounts({
            accesses: [first, ...others],
            containers: { name: container, idCharacters },
            createContainer: options.swift_store_create_container_on_put,
          }),
        }),
    };
  },
};

/** What keeps data from lying in accounts of users; null: nothing. */
function whyNotOfUsers(options: Values, { authVersion }: SwiftReference): string | null {
  if (options.swift_store_config_file !== null)
    return "it does not go with swift_store_config_file: unset one of the two.";
  if (options.swift_store_endpoint !== null) return "swift_store_endpoint would be one account for all: unset it.";
  return authVersion === "3" ? null : "accounts are found by Keystone: set swift_store_auth_version = 3.";
}

/** The default one first. Throws config.invalid. */
function readReferences(section: string, options: Values): readonly SwiftReference[] {
  const { default_swift_reference: wanted, swift_store_config_file: file } = options;
  if (file === null) {
    const named = (option: "swift_store_auth_address" | "swift_store_user" | "swift_store_key") => {
      const value = options[option];
      if (!value) throw invalid(section, option, "", "a swift store needs it, or swift_store_config_file.");
      return value;
    };
    const values = {
      auth_address: named("swift_store_auth_address"),
      user: named("swift_store_user"),
      key: named("swift_store_key"),
      auth_version: options.swift_store_auth_version,
    };
    return [
      referenceOf(wanted, values, (option, value, what) => invalid(section, `swift_store_${option}`, value, what)),
    ];
  }
  const sections = new Map<string, Record<string, string>>();
  for (const { section: name, option, value } of parseConfig(readConfigText(file), file))
    sections.set(name, { ...sections.get(name), [option]: value });
  const references = [...sections].map(([name, values]) =>
    referenceOf(name, { auth_version: options.swift_store_auth_version, ...values }, (option, value, what) =>
      invalid(section, "swift_store_config_file", file, `[${name}] ${option} is "${value}": ${what}`),
    ),
  );
  if (!references.some(({ name }) => name === wanted))
    throw invalid(section, "default_swift_reference", wanted, `${file} has no such section.`);
  return references.toSorted((one, other) => Number(other.name === wanted) - Number(one.name === wanted));
}

function referenceOf(
  name: string,
  values: Readonly<Record<string, string>>,
  refuse: (option: string, value: string, what: string) => Error,
): SwiftReference {
  const { auth_address: address = "", user = "", key = "", auth_version: version = "" } = values;
  if (!isWebUrl(address)) throw refuse("auth_address", address, "give an http or https URL.");
  if (user === "") throw refuse("user", "", "name the user.");
  if (key === "") throw refuse("key", "", "give the user's key.");
  const authVersion = /^1(\.0)?$/.test(version) ? "1" : /^3(\.0)?$/.test(version) ? "3" : undefined;
  if (authVersion === undefined) throw refuse("auth_version", version, "it is 1 (Swift) or 3 (Keystone).");
  if (authVersion === "3" && !user.includes(":")) throw refuse("user", user, "for Keystone give project:user.");
  return {
    name,
    authAddress: new URL(address),
    authVersion,
    user,
    key,
    projectDomain: domainOf(values.project_domain_id, values.project_domain_name),
    userDomain: domainOf(values.user_domain_id, values.user_domain_name),
  };
}

function domainOf(id: string | undefined, name: string | undefined): Readonly<Record<string, string>> {
  return !id && name ? { name } : { id: id || "default" };
}

function isWebUrl(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text);
}
