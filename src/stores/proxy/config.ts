// The one option of nodes that have stores which this one has not.
import type { Config } from "../../core/config.ts";
import { ServiceError } from "../../core/errors.ts";
import { optionGroup } from "../../core/options.ts";

export const foreignStoreOptions = optionGroup("perennial", {
  foreign_store_proxy: {
    type: "list",
    default: [],
    help: "URLs of Glance nodes that have stores which this node has not (cinder, vmware, or one of another name), such as http://glance-1:9292: downloads and deletions of images there are passed on to them with the client's token, to the next where one does not answer. Kinds that Perennial has not are then left out of enabled_backends. Unset: such requests are refused with 501.",
  },
});

/** Without trailing slashes and version; empty: nobody is asked. Throws config.invalid. */
export function readForeignNodes(config: Pick<Config, "read">): readonly string[] {
  return config.read(foreignStoreOptions).foreign_store_proxy.map((given) => {
    if (/^https?:\/\/[^\s/?#@]+(?:\/[^\s?#]*)?$/i.test(given) && URL.canParse(given))
      return given.replace(/\/+$/, "").replace(/\/v2$/, "");
    throw new ServiceError(
      "config.invalid",
      `[perennial] foreign_store_proxy names "${given.replace(/\/\/.*@/, "//")}": give URLs with http or https, without a user and without a query, such as http://glance-1:9292.`,
      { facts: { section: "perennial", option: "foreign_store_proxy" } },
    );
  });
}
