// Options of the Ceph store under Glance's names, and their reading into the store's own terms.
import { type OptionSpec, optionGroup } from "../../core/options.ts";
import { invalid } from "../config.ts";
import type { StoreDriver } from "../driver.ts";
import { openRbdStore } from "./rbd-store.ts";

const megabyte = 1_048_576;
/** Where rados_connect_timeout says nothing: Ceph itself would wait for ever. */
const timeoutSeconds = 60;

export const rbdStoreOptions = {
  rbd_store_pool: {
    type: "string",
    default: "images",
    help: "The pool that image data goes to. It has to exist.",
  },
  rbd_store_user: {
    type: "string",
    default: null,
    help: "Ceph's user, without its `client.`; its keyring is named in Ceph's configuration, in the section of this user. Unset: admin.",
  },
  rbd_store_ceph_conf: {
    type: "string",
    default: "",
    help: "Ceph's configuration file. Empty: where Ceph looks for it, such as /etc/ceph/ceph.conf.",
  },
  rbd_store_chunk_size: {
    type: "integer",
    default: 8,
    min: 1,
    max: 32,
    help: "Megabytes of the objects that an image is cut into, a power of two; of another number, the power of two below it is taken.",
  },
  rados_connect_timeout: {
    type: "integer",
    default: 0,
    help: `Seconds after which a call that the cluster does not answer fails, from the connection at the start on. 0 or less: ${timeoutSeconds}.`,
  },
  rbd_thin_provisioning: {
    type: "boolean",
    default: false,
    help: "Leave out what is nothing but zeros, so that it takes no room.",
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;

export const rbdDriver: StoreDriver = {
  type: "rbd",
  aliases: ["rbd"],
  options: rbdStoreOptions,
  configure(config, section) {
    const options = config.read(optionGroup(section, rbdStoreOptions));
    const { rbd_store_pool: pool, rbd_store_ceph_conf: conf, rados_connect_timeout: timeout } = options;
    if (!/^[^/@\s]+$/.test(pool)) throw invalid(section, "rbd_store_pool", pool, "that is no name of a pool.");
    const access = {
      conf: conf === "" ? null : conf,
      user: options.rbd_store_user || null,
      timeoutSeconds: timeout > 0 ? timeout : timeoutSeconds,
    };
    const objectBytes = 2 ** Math.floor(Math.log2(options.rbd_store_chunk_size)) * megabyte;
    return {
      places: [`rbd://${conf}/${pool}`],
      open: () => openRbdStore({ access, pool, objectBytes, thin: options.rbd_thin_provisioning }),
    };
  },
};
