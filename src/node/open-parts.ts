// Opens the supervisor's connections at start, giving a database that starts with the same machine a little time.
import { setTimeout as delay } from "node:timers/promises";
import { errorText, isServiceError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { NodeParts } from "./parts.ts";

const triesMax = 3;
const pauseMs = 1_000;

/** Throws db.unreachable after a few tries, and anything else at once. The database is asked a question, not only connected to. */
export async function openParts(open: () => Promise<NodeParts>, logger: Logger): Promise<NodeParts> {
  for (let tries = 1; ; tries++) {
    let parts: NodeParts | null = null;
    try {
      parts = await open();
      await parts.readiness();
      return parts;
    } catch (error) {
      await parts?.close();
      if (!isServiceError(error, "db.unreachable") || tries >= triesMax) throw error;
      logger.warn({ error: errorText(error) }, "the database cannot be reached; trying again");
      await delay(pauseMs);
    }
  }
}
