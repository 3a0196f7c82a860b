// One line about the options of a configuration that do nothing here.
import type { Config } from "../core/config.ts";
import type { Logger } from "../core/logger.ts";

/** Options of other releases and programs stand in many a glance-api.conf; that they do nothing here should not go unnoticed. */
export function warnOfUnknown(config: Config, logger: Logger): void {
  if (config.unknown.length > 0)
    logger.warn({ options: config.unknown }, "options that are not known here were ignored");
}
