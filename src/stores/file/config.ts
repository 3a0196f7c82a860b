// Options of the file store, in Glance's section and under Glance's names, and their reading into the store's own terms.
import type { Config } from "../../core/config.ts";
import { ServiceError } from "../../core/errors.ts";
import { optionGroup } from "../../core/options.ts";
import type { FileStoreOptions } from "./file-store.ts";

export const fileStoreOptions = optionGroup("glance_store", {
  stores: { type: "list", default: ["file", "http"], help: "Kinds of stores this node can use." },
  default_store: {
    type: "string",
    default: "file",
    choices: ["file", "filesystem"],
    help: "The store that new image data goes to.",
  },
  filesystem_store_datadir: {
    type: "string",
    default: "/var/lib/glance/images",
    help: "Directory of the image files; every node of a fleet must see the same one.",
  },
  filesystem_store_datadirs: {
    type: "multi",
    default: [],
    help: "Several data directories with priorities. Not supported yet: refused where set.",
  },
  filesystem_store_file_perm: {
    type: "integer",
    default: 0,
    min: 0,
    max: 777,
    help: "Permissions of image files as octal digits, for instance 640; 0 leaves them to the umask.",
  },
  filesystem_store_chunk_size: {
    type: "integer",
    default: 65_536,
    min: 1,
    help: "Bytes read at a time; smaller values than the store reads well with (256 KiB) are raised to that.",
  },
});

/** Throws config.invalid, naming section and option. */
export function readFileStoreOptions(config: Pick<Config, "read">): FileStoreOptions {
  const options = config.read(fileStoreOptions);
  if (!options.stores.some((name) => name === "file" || name === "filesystem"))
    throw invalid("stores", options.stores.join(","), "it must contain file, the default store.");
  const [several] = options.filesystem_store_datadirs;
  if (several !== undefined)
    throw invalid(
      "filesystem_store_datadirs",
      several,
      "several data directories are not supported yet; use filesystem_store_datadir.",
    );
  if (!options.filesystem_store_datadir.startsWith("/"))
    throw invalid("filesystem_store_datadir", options.filesystem_store_datadir, "give an absolute path.");
  const digits = String(options.filesystem_store_file_perm);
  if (!/^[0-7]+$/.test(digits))
    throw invalid("filesystem_store_file_perm", digits, "give octal digits, for instance 640.");
  return {
    dataDirectory: options.filesystem_store_datadir,
    filePermissions: digits === "0" ? null : Number.parseInt(digits, 8),
    readBytes: options.filesystem_store_chunk_size,
  };
}

function invalid(option: string, value: string, what: string): ServiceError {
  return new ServiceError("config.invalid", `[glance_store] ${option} is "${value}": ${what}`, {
    facts: { section: "glance_store", option },
  });
}
