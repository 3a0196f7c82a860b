// Every option group that is declared anywhere: what validates glance-api.conf, whichever command reads it, and what the manual lists.
import { apiOptionGroups } from "../api/config.ts";
import type { OptionGroup } from "../core/options.ts";
import { databaseOptions } from "../db/config.ts";
import { metadefOptions } from "../db/metadefs/config.ts";
import { identityOptionGroups } from "../identity/config.ts";
import { imageDefaultOptions, imageFormatOptions, unsupportedImageOptions } from "../images/config.ts";
import { nodeOptionGroups } from "../node/config.ts";
import { fileStoreOptions } from "../stores/file/config.ts";

export const allOptionGroups: readonly OptionGroup[] = [
  ...nodeOptionGroups,
  ...apiOptionGroups,
  imageDefaultOptions,
  imageFormatOptions,
  unsupportedImageOptions,
  databaseOptions,
  metadefOptions,
  fileStoreOptions,
  ...identityOptionGroups,
];
