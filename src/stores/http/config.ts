// Options of the http store, and the one of ours that says which places near this machine its locations may lead to.
import { readFileSync } from "node:fs";
import { errorText } from "../../core/errors.ts";
import { type OptionSpec, optionGroup } from "../../core/options.ts";
import { invalid } from "../config.ts";
import type { StoreDriver } from "../driver.ts";
import { openHttpStore } from "./http-store.ts";

export const httpStoreOptions = {
  https_ca_certificates_file: {
    type: "string",
    default: null,
    help: "PEM file of the authorities that vouch for https locations. Unset: those of the system, see https_insecure.",
  },
  https_insecure: {
    type: "boolean",
    default: true,
    help: "Believe any certificate of https locations. Without effect where https_ca_certificates_file is set.",
  },
  http_proxy_information: {
    type: "list",
    default: [],
    help: "Proxies, as scheme:proxy. Not supported yet: refused where set.",
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;

export const httpPlaceOptions = optionGroup("perennial", {
  http_store_near_hosts: {
    type: "list",
    default: [],
    help: "Hosts, names or addresses, that http and https locations may lead to although their addresses are loopback or link-local ones, which they may not otherwise.",
  },
});

export const httpDriver: StoreDriver = {
  type: "http",
  aliases: ["http", "https"],
  options: httpStoreOptions,
  configure(config, section) {
    const options = config.read(optionGroup(section, httpStoreOptions));
    const [proxy] = options.http_proxy_information;
    if (proxy !== undefined)
      throw invalid(section, "http_proxy_information", proxy, "proxies are not supported yet; take it out.");
    const file = options.https_ca_certificates_file;
    const ca = file === null ? undefined : readCa(section, "https_ca_certificates_file", file);
    const { http_store_near_hosts: nearHosts } = config.read(httpPlaceOptions);
    return {
      places: [],
      open: async () => openHttpStore({ nearHosts, ...(ca ? { ca } : { insecure: options.https_insecure }) }),
    };
  },
};

/** Throws config.invalid where the file cannot be read. */
export function readCa(section: string, option: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw invalid(section, option, file, `it cannot be read (${errorText(error)}).`);
  }
}
