// Options of the file store under Glance's names, and their reading into the store's own terms.
import type { Config } from "../../core/config.ts";
import { type OptionSpec, optionGroup } from "../../core/options.ts";
import { invalid } from "../config.ts";
import type { StoreDriver } from "../driver.ts";
import { type FileStoreOptions, openFileStore } from "./file-store.ts";
import { metadataOf, readMetadataFile } from "./metadata-file.ts";
import { storeOfDirectories } from "./several-directories.ts";

const defaultDirectory = "/var/lib/glance/images";

export const fileStoreOptions = {
  filesystem_store_datadir: {
    type: "string",
    default: defaultDirectory,
    help: "Directory of the image files; every node of a fleet must see the same one. With enabled_backends the default is /var/lib/glance/ and the store's name.",
  },
  filesystem_store_datadirs: {
    type: "multi",
    default: [],
    help: "Several data directories in the place of the one, each `/path` or `/path:priority` (0 and more). New data goes where the priority is highest and there is room for it, of equals to the one with the most room.",
  },
  filesystem_store_metadata_file: {
    type: "string",
    default: null,
    help: 'File with the JSON of what is noted with each location, for clients that read the directory themselves: an object with "id" and "mountpoint", or a list of them.',
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
  filesystem_thin_provisioning: {
    type: "boolean",
    default: false,
    help: "Leave holes in files where image data is zeros, so that these take no room.",
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;

export type DirectoryOptions = FileStoreOptions & { readonly priority: number };

/** One per data directory. Throws config.invalid, naming section and option. */
export function readFileStoreOptions(config: Pick<Config, "read">, section: string): readonly DirectoryOptions[] {
  const options = config.read(optionGroup(section, fileStoreOptions));
  const digits = String(options.filesystem_store_file_perm);
  if (!/^[0-7]+$/.test(digits))
    throw invalid(section, "filesystem_store_file_perm", digits, "give octal digits, for instance 640.");
  const notes = options.filesystem_store_metadata_file
    ? readMetadataFile(section, options.filesystem_store_metadata_file)
    : [];
  const several = options.filesystem_store_datadirs.map((text) => parseDirectory(section, text));
  const one = options.filesystem_store_datadir;
  if (several.length === 0 && !one.startsWith("/"))
    throw invalid(section, "filesystem_store_datadir", one, "give an absolute path.");
  const repeated = several.find(({ path }, at) => several.findIndex((other) => other.path === path) !== at);
  if (repeated) throw invalid(section, "filesystem_store_datadirs", repeated.path, "the directory is named twice.");
  return (several.length > 0 ? several : [{ path: one, priority: 0 }]).map(({ path, priority }) => {
    const metadata = metadataOf(notes, path);
    return {
      dataDirectory: path,
      priority,
      filePermissions: digits === "0" ? null : Number.parseInt(digits, 8),
      readBytes: options.filesystem_store_chunk_size,
      sparse: options.filesystem_thin_provisioning,
      ...(metadata ? { metadata } : {}),
    };
  });
}

/** The last colon is the priority's, where digits follow it. */
function parseDirectory(section: string, text: string): { readonly path: string; readonly priority: number } {
  const [, path = "", priority = "0"] = /^(\/.*?)\/*(?::(\d{1,9}))?$/.exec(text.trim()) ?? [];
  if (path === "" || (priority === "0" && /:[^/]*$/.test(path)))
    throw invalid(section, "filesystem_store_datadirs", text, "give an absolute path, and a priority after a colon.");
  return { path, priority: Number(priority) };
}

export const fileDriver: StoreDriver = {
  type: "file",
  aliases: ["file", "filesystem"],
  options: fileStoreOptions,
  ownDefaults: (storeId) => ({ filesystem_store_datadir: `/var/lib/glance/${storeId}` }),
  configure(config, section) {
    const directories = readFileStoreOptions(config, section);
    return {
      places: directories.map(({ dataDirectory }) => `file://${dataDirectory}`),
      async open() {
        const opened = await Promise.all(
          directories.map(async ({ priority, ...options }) => ({
            path: options.dataDirectory,
            priority,
            store: await openFileStore(options),
          })),
        );
        return storeOfDirectories(opened);
      },
    };
  },
};
