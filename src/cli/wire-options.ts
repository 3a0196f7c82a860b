// Every option group that is declared anywhere: what validates glance-api.conf, whichever command reads it, and what the manual lists.
import type { OptionGroup } from "../core/options.ts";
import { imageDefaultOptions, imageFormatOptions } from "../images/config.ts";
import { nodeOptionGroups } from "../node/config.ts";

export const allOptionGroups: readonly OptionGroup[] = [...nodeOptionGroups, imageDefaultOptions, imageFormatOptions];
