// What openDatabase may be told, and what holds where it is not.
import type { Logger } from "../core/logger.ts";
import { type LocationUrls, plainLocations } from "./location-urls.ts";
import { defaultRetryPolicy, type RetryPolicy } from "./retry.ts";

export type OpenOptions = {
  /** Connections of this process at most; SQLite: reading threads, 4 at most. */
  readonly poolSizeMax?: number;
  /** Connections kept open when idle. */
  readonly poolIdleMax?: number;
  /** How long a statement waits for a free connection. */
  readonly poolWaitMsMax?: number;
  /** Older connections are replaced; null: never. */
  readonly connectionAgeMsMax?: number | null;
  /** MySQL's sql_mode; empty: the server's own. */
  readonly sqlMode?: string;
  /** SQLite: a commit waits for the disk. */
  readonly sqliteSynchronous?: boolean;
  readonly retry?: RetryPolicy;
  /** The first connection is tried this often, with these pauses. Infinity: without end. */
  readonly connectAttemptsMax?: number;
  readonly connectPauseMs?: number;
  /** Absent: as they are. */
  readonly locationUrls?: LocationUrls;
  readonly logger?: Logger;
};

export type OpenSettings = Required<Omit<OpenOptions, "logger">> & { readonly logger: Logger | undefined };

export function withDefaults(options: OpenOptions): OpenSettings {
  return {
    poolSizeMax: 10,
    poolIdleMax: 5,
    poolWaitMsMax: 30_000,
    connectionAgeMsMax: 3_600_000,
    sqlMode: "TRADITIONAL",
    sqliteSynchronous: true,
    retry: defaultRetryPolicy,
    connectAttemptsMax: 1,
    connectPauseMs: 10_000,
    locationUrls: plainLocations,
    logger: undefined,
    ...options,
  };
}
