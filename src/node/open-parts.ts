// Opens the supervisor's connections at start. A database that cannot be reached yet is tried again as [database] max_retries and
// retry_interval say, because after a power failure both start at once.
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../core/config.ts";
import { errorText, isServiceError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { databaseOptions } from "../db/config.ts";
import type { NodeParts } from "./parts.ts";

/** Throws db.unreachable after the last try, and anything else at once. The database is asked a question, not only connected to. */
export async function openParts(open: () => Promise<NodeParts>, config: Config, logger: Logger): Promise<NodeParts> {
  const { max_retries: retriesMax, retry_interval: pauseSeconds } = config.read(databaseOptions);
  for (let retries = 0; ; retries++) {
    let parts: NodeParts | null = null;
    try {
      parts = await open();
      await parts.readiness();
      return parts;
    } catch (error) {
      await parts?.close();
      const last = retriesMax >= 0 && retries >= retriesMax;
      if (!isServiceError(error, "db.unreachable") || last) throw error;
      logger.warn({ error: errorText(error) }, `the database cannot be reached; trying again in ${pauseSeconds} s`);
      await delay(pauseSeconds * 1000);
    }
  }
}
