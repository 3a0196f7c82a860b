// What the supervisor and a worker say to each other over their IPC channel. Both come from one package, so there is one version of it.
import type { Registry } from "prom-client";
import type { ConfigSource } from "../core/config.ts";
import type { ErrorCode } from "../core/errors.ts";
import type { LatencyCounts } from "./latency-histogram.ts";
import type { TransferSummary } from "./transfer-summary.ts";

/** The socket's descriptor in a worker, after the three standard ones; the channel takes the next. */
export const workerSocketFd = 3;

export type StartMessage = {
  readonly do: "start";
  /** The files as the supervisor read them, so that a worker started later never sees another configuration than its siblings. */
  readonly config: readonly ConfigSource[];
  readonly nodeName: string;
  /** As it stands now, for a worker started while the node leaves or is unfit. */
  readonly draining: boolean;
  /** False: wait for `listen` before the first connection is taken. */
  readonly listen: boolean;
  readonly unfit: string | null;
};

export type ToWorker =
  | StartMessage
  /** Why the node must be out of rotation; null: it need not. */
  | { readonly do: "fit"; readonly unfit: string | null }
  /** Take connections from now on. */
  | { readonly do: "listen" }
  /** The node leaves: health fails, responses close their connections, new ones are still taken. */
  | { readonly do: "drain" }
  /** This worker leaves and others stay: stop accepting at once, finish, exit; health stays good. */
  | { readonly do: "retire" }
  /** As `retire`, but the others are another process's: what still comes over open connections is passed on to them. */
  | { readonly do: "hand-over" }
  /** Stop accepting, finish what runs, exit. */
  | { readonly do: "close" }
  /** Give up what runs, cleanly, and exit. */
  | { readonly do: "cut" }
  | { readonly do: "report" }
  | { readonly do: "collect"; readonly id: number }
  | { readonly do: "metrics"; readonly id: number; readonly contentType: string; readonly body: string }
  | { readonly do: "reopen-log" };

/** The metrics of one process, as prom-client hands them out and adds them up. */
export type WorkerMetrics = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>;

export type WorkerReport = {
  readonly transfers: TransferSummary;
  readonly requestsInFlight: number;
  readonly connections: number;
  /** What may still read or write the database: all but downloads under way, once requests are passed on; before that, always something. */
  readonly usesDatabase: boolean;
  /** All that comes from now on is passed on to the process that took over. */
  readonly passesOn: boolean;
  /** Since the report before. */
  readonly latency: LatencyCounts;
};

export type FromWorker =
  /** All is built; only listening is left. */
  | { readonly did: "built" }
  | { readonly did: "ready" }
  /** It cannot start; the supervisor prints the line. */
  | { readonly did: "fail"; readonly code: ErrorCode | null; readonly message: string }
  | { readonly did: "close" }
  | { readonly did: "report"; readonly report: WorkerReport }
  | { readonly did: "want-metrics"; readonly id: number }
  | { readonly did: "collect"; readonly id: number; readonly metrics: WorkerMetrics };
