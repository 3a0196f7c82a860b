// Options of the file store under Glance's names, and their reading into the store's own terms.
import type { Config } from "../../core/config.ts";
import { type OptionSpec, optionGroup } from "../../core/options.ts";
import { invalid } from "../config.ts";
import type { StoreDriver } from "../driver.ts";
import { type FileStoreOptions, openFileStore } from "./file-store.ts";

export const fileStoreOptions = {
  filesystem_store_datadir: {
    type: "string",
    default: "/var/lib/glance/images",
    help: "Directory of the image files; every node of a fleet must see the same one. With enabled_backends the default is /var/lib/glance/ and the store's name.",
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
} as const satisfies Readonly<Record<string, OptionSpec>>;

/** Throws config.invalid, naming section and option. */
export function readFileStoreOptions(config: Pick<Config, "read">, section: string): FileStoreOptions {
  const options = config.read(optionGroup(section, fileStoreOptions));
  const [several] = options.filesystem_store_datadirs;
  if (several !== undefined)
    throw invalid(
      section,
      "filesystem_store_datadirs",
      several,
      "several data directories are not supported yet; use filesystem_store_datadir.",
    );
  if (!options.filesystem_store_datadir.startsWith("/"))
    throw invalid(section, "filesystem_store_datadir", options.filesystem_store_datadir, "give an absolute path.");
  const digits = String(options.filesystem_store_file_perm);
  if (!/^[0-7]+$/.test(digits))
    throw invalid(section, "filesystem_store_file_perm", digits, "give octal digits, for instance 640.");
  return {
    dataDirectory: options.filesystem_store_datadir,
    filePermissions: digits === "0" ? null : Number.parseInt(digits, 8),
    readBytes: options.filesystem_store_chunk_size,
  };
}

export const fileDriver: StoreDriver = {
  type: "file",
  aliases: ["file", "filesystem"],
  options: fileStoreOptions,
  ownDefaults: (storeId) => ({ filesystem_store_datadir: `/var/lib/glance/${storeId}` }),
  configure(config, section) {
    const options = readFileStoreOptions(config, section);
    return { place: `file://${options.dataDirectory}`, open: () => openFileStore(options) };
  },
};
