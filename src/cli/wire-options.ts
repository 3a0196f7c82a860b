// Every option group that is declared anywhere: what validates glance-api.conf, whichever command reads it, and what the manual lists.
import { apiOptionGroups } from "../api/config.ts";
import type { ConfigOptions } from "../core/config.ts";
import type { OptionGroup } from "../core/options.ts";
import { databaseOptions, locationOptions } from "../db/config.ts";
import { metadefOptions } from "../db/metadefs/config.ts";
import { identityOptionGroups } from "../identity/config.ts";
import { imageDefaultOptions, imageFormatOptions, scrubberOptions, unsupportedImageOptions } from "../images/config.ts";
import { importOptionGroups } from "../images/import/config.ts";
import { rabbitOptions } from "../images/notifications/bus/config.ts";
import { notificationDefaultOptions, notificationOptions } from "../images/notifications/config.ts";
import { resumableOptions } from "../images/resumable/config.ts";
import { nodeOptionGroups } from "../node/config.ts";
import { enabledStoresOptions, storeOptions } from "../stores/config.ts";
import { httpPlaceOptions } from "../stores/http/config.ts";
import { foreignStoreOptions } from "../stores/proxy/config.ts";
import { classicStoreGroups, namedStoreGroups } from "./wire-stores.ts";

export const allOptionGroups: readonly OptionGroup[] = [
  ...nodeOptionGroups,
  ...apiOptionGroups,
  imageDefaultOptions,
  scrubberOptions,
  imageFormatOptions,
  unsupportedImageOptions,
  ...importOptionGroups,
  resumableOptions,
  notificationOptions,
  notificationDefaultOptions,
  rabbitOptions,
  databaseOptions,
  locationOptions,
  metadefOptions,
  enabledStoresOptions,
  storeOptions,
  ...classicStoreGroups,
  httpPlaceOptions,
  foreignStoreOptions,
  ...identityOptionGroups,
];

/** What a configuration of ours may hold, for whoever reads one. */
export const configuration: ConfigOptions = { groups: allOptionGroups, sections: namedStoreGroups };
