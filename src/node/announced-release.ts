// What a node tells of a fleet between two releases. API versions: of its own release, or an older one while a node of that still lives.
// Requests of one client reach different nodes, and what it has seen announced must never become less. Schemas: of the newest.
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
      last = living(await nodes()).reduce((oldest, one) => (one.order < oldest.order ? one : oldest), own);
    } catch (error) {
      logger.warn({ err: error, announced: last.id }, "the registry cannot be asked which release to announce");
    }
    return last;
  };
}

/**
 * A function that tells the release whose schemas to publish: the newest that a living node has, even one that has only begun to start.
 * Where the registry cannot be asked the last answer stands, at first the node's own.
 */
export function createDescription(options: {
  own: Release;
  nodes: RegisteredNodes;
  logger: Logger;
}): () => Promise<Release> {
  const { own, nodes, logger } = options;
  let last = own;
  return async () => {
    try {
      last = living(await nodes()).reduce((newest, one) => (one.order > newest.order ? one : newest), own);
    } catch (error) {
      logger.warn(
        { err: error, described: last.id },
        "the registry cannot be asked which release's schemas to publish",
      );
    }
    return last;
  };
}

/** They answer no request: the ones that have handed over pass all on to their successor. */
const silentStates: readonly string[] = ["stopped", "handed-over", "sending"];

/** The releases of nodes that may answer. */
function living(nodes: Awaited<ReturnType<RegisteredNodes>>): readonly Release[] {
  return nodes.flatMap(({ record, silentSeconds }) =>
    silentStates.includes(record.state) || silentSeconds > nodeLiveSeconds || !isReleaseId(record.release)
      ? []
      : [releaseOf(record.release)],
  );
}
