// Which release's API versions are announced: the node's own, or an older one while a node of that still lives. Requests of one
// client reach different nodes, and what it has seen announced must never become less.
import type { Logger } from "../core/logger.ts";
import { nodeLiveSeconds } from "../db/schema/own-tables.ts";
import { isReleaseId, type Release, releaseOf } from "../releases/catalogue.ts";

/** What is asked of the registry: every row, with the database's clock. */
export type RegisteredNodes = () => Promise<
  readonly { readonly record: { readonly release: string; readonly state: string }; readonly silentSeconds: number }[]
>;

/**
 * A function that tells the release to announce. While an older node lives the registry is asked each time, because two nodes that
 * remembered would change their minds one after the other; once there is none the answer stays. Where the registry
 * cannot be asked the last answer stands, at first the oldest release: too little is announced rather than too much.
 */
export function createAnnouncement(options: {
  own: Release;
  oldest: Release;
  nodes: RegisteredNodes;
  logger: Logger;
}): () => Promise<Release> {
  const { own, nodes, logger } = options;
  let last = options.oldest;
  return async () => {
    if (last.order >= own.order) return own;
    try {
      last = oldestLiving(own, await nodes());
    } catch (error) {
      logger.warn({ err: error, announced: last.id }, "the registry cannot be asked which release to announce");
    }
    return last;
  };
}

/** They answer no request: the ones that have handed over pass all on to their successor. */
const silentStates: readonly string[] = ["stopped", "handed-over", "sending"];

function oldestLiving(own: Release, nodes: Awaited<ReturnType<RegisteredNodes>>): Release {
  let oldest = own;
  for (const { record, silentSeconds } of nodes) {
    if (silentStates.includes(record.state) || silentSeconds > nodeLiveSeconds || !isReleaseId(record.release))
      continue;
    const release = releaseOf(record.release);
    if (release.order < oldest.order) oldest = release;
  }
  return oldest;
}
