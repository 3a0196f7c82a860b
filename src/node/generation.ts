// What belongs to one reading of the configuration: a reload replaces it as a whole.
import type { Config } from "../core/config.ts";
import { ServiceError } from "../core/errors.ts";
import type { ListenSocket } from "./listen-socket.ts";
import type { NodeSettings } from "./node-settings.ts";
import type { NodeParts } from "./parts.ts";
import type { WorkerPool } from "./worker-pool.ts";

export type Generation = {
  readonly config: Config;
  readonly settings: NodeSettings;
  readonly socket: ListenSocket;
  readonly parts: NodeParts;
  readonly pool: WorkerPool;
};

/** Throws node.start_refused where the database is not ready for the release, or past it. */
export async function guard(parts: NodeParts): Promise<void> {
  const readiness = await parts.readiness();
  if (!readiness.ready) throw new ServiceError("node.start_refused", readiness.message);
}
