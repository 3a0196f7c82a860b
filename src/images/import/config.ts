// Options of glance-api.conf (and glance-image-import.conf) about staging, import and tasks.
import { optionGroup } from "../../core/options.ts";
import { writable } from "./qemu-img.ts";

export const importOptions = optionGroup("DEFAULT", {
  node_staging_uri: {
    type: "string",
    default: "file:///tmp/staging/",
    help: "Folder of data that waits to be imported, as a file:// URL. Where all nodes see the same one, any of them can import what was staged on another. With several stores [os_glance_staging_store] filesystem_store_datadir goes before it.",
  },
  enabled_import_methods: {
    type: "list",
    default: ["default"],
    help: "Ways of importing images that clients may use, for instance [glance-direct,web-download]; [] for none. Those that the release does not know are left out. default: those of the release, which are glance-direct from Pike, web-download from Queens, copy-image from Ussuri on. glance-download is there from Zed on, where it is named.",
  },
  enable_image_import: {
    type: "boolean",
    default: null,
    help: "Turns staging and import on or off at Pike (unset: off) and Queens (unset: on); other releases have no such switch.",
  },
});

export const stagingStoreOptions = optionGroup("os_glance_staging_store", {
  filesystem_store_datadir: {
    type: "string",
    default: null,
    help: "Folder of data that waits to be imported, where there are several stores. Unset: node_staging_uri.",
  },
});

export const taskOptions = optionGroup("task", {
  task_time_to_live: {
    type: "integer",
    default: 48,
    min: 0,
    max: 1_000_000,
    help: "Hours for which a finished task is remembered.",
  },
});

export const taskExecutorOptions = optionGroup("taskflow_executor", {
  max_workers: {
    type: "integer",
    default: 10,
    min: 1,
    help: "Imports that one worker process works on at once; the others wait.",
  },
});

export const importFilterOptions = optionGroup("import_filtering_opts", {
  allowed_schemes: {
    type: "list",
    default: ["http", "https"],
    help: "Schemes of URLs that web-download takes; http and https are all there are. Where this list is empty, disallowed_schemes counts.",
  },
  disallowed_schemes: { type: "list", default: [], help: "Schemes that web-download refuses." },
  allowed_hosts: {
    type: "list",
    default: [],
    help: "Hosts, names or addresses, that web-download takes; where it is not empty no other host is, and disallowed_hosts does not count. Loopback and link-local addresses are reached only where they are listed here.",
  },
  disallowed_hosts: {
    type: "list",
    default: [],
    help: "Hosts that web-download refuses; an address also where a name leads to it, and however it is written.",
  },
  allowed_ports: {
    type: "list",
    default: ["80", "443"],
    help: "Ports that web-download takes where a URL names one. Where this list is empty, disallowed_ports counts.",
  },
  disallowed_ports: { type: "list", default: [], help: "Ports that web-download refuses where a URL names one." },
});

export const importPluginOptions = optionGroup("image_import_opts", {
  image_import_plugins: {
    type: "list",
    default: [],
    help: "What is done on the way of an import: inject_image_metadata (from Queens on), image_conversion (from Rocky on, by the program qemu-img), image_decompression (gzip, zip and lha of one file, the last by the program lha; from Ussuri on; before a conversion, in whatever order they stand), no_op. Those that the release does not know are left out.",
  },
});

export const injectOptions = optionGroup("inject_metadata_properties", {
  ignore_user_roles: {
    type: "list",
    default: ["admin"],
    help: "Nothing is set on images that users of one of these roles import.",
  },
  inject: {
    type: "list",
    default: [],
    help: "Properties that inject_image_metadata sets, as name:value,name:value.",
  },
});

export const conversionOptions = optionGroup("image_conversion", {
  output_format: {
    type: "string",
    default: "raw",
    choices: writable,
    help: "The format that image_conversion makes of images whose container_format is bare. ISO images stay as they are, and data without a format of its own.",
  },
});

export const glanceDownloadOptions = optionGroup("glance_download_properties", {
  extra_properties: {
    type: "list",
    default: ["hw_", "trait:", "os_distro", "os_secure_boot", "os_type"],
    help: "Beginnings of the names of those properties that glance-download takes along from the other region.",
  },
});

export const importOptionGroups = [
  glanceDownloadOptions,
  conversionOptions,
  importPluginOptions,
  injectOptions,
  importOptions,
  stagingStoreOptions,
  taskOptions,
  taskExecutorOptions,
  importFilterOptions,
] as const;
