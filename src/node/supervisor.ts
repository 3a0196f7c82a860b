// The node's first process: holds the listening socket, keeps workers running, and turns signals into a graceful stop or a reload.
// Start order: configuration, socket, pid file, database, registry, start guard, workers. It stops in the reverse order.
//
//   TERM, INT   drain (drain.ts); a second one, or QUIT, gives up at once
//   HUP         reload (reload.ts)
//   USR1        reopen log files
//   USR2        a new process takes over (hand-over.ts); this one then finishes what it has
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import { errorText } from "../core/errors.ts";
import { StopStack } from "../core/lifecycle.ts";
import { type Logger, reopenLogFiles } from "../core/logger.ts";
import { drain } from "./drain.ts";
import { Node } from "./node.ts";
import { openLogger } from "./open-logger.ts";
import type { NodeParts } from "./parts.ts";
import { processTitle } from "./pid-file.ts";
import { Predecessor } from "./predecessor.ts";
import { connectServiceManager } from "./service-manager.ts";
import { warnOfUnknown } from "./warn-of-unknown.ts";

export type PartsContext = {
  readonly nodeName: string;
  readonly logger: Logger;
  /** A starting node tries again for as long as [database] max_retries allows; a reload does not. */
  readonly patient: boolean;
};

export type SupervisorOptions = {
  /** Reads the files (anew at each reload). Throws config.invalid. */
  readonly readConfig: () => Config;
  /** Opens the supervisor's own connections for a configuration. Throws db.unreachable, db.access_denied, config.invalid. */
  readonly openParts: (config: Config, context: PartsContext) => Promise<NodeParts>;
  /** Path of the module a worker runs; it calls runWorker. */
  readonly workerModule: string;
  readonly packageVersion: string;
  /** In place of [perennial] pid_file. */
  readonly pidFile?: string;
};

/** How long the last words (registry, connections) may take. */
const stopMsMax = 5_000;

/**
 * Runs the node until it is told to stop: `finished` where everything was served to its end, `cut` where work was given up.
 * Throws what keeps the node from starting, with nothing left behind.
 */
export async function supervise(options: SupervisorOptions): Promise<"finished" | "cut"> {
  process.title = `${processTitle}: supervisor`;
  const signals = listenForSignals();
  const predecessor = await Predecessor.meet(process.env);
  try {
    return await run(options, signals, predecessor);
  } catch (error) {
    await predecessor?.fail(errorText(error));
    throw error;
  }
}

async function run(
  options: SupervisorOptions,
  signals: Signals,
  predecessor: Predecessor | null,
): Promise<"finished" | "cut"> {
  const config = options.readConfig();
  const logger = openLogger(config, "glance-api");
  warnOfUnknown(config, logger);
  const manager = connectServiceManager(process.env, { pid: process.pid, logger });
  const stack = new StopStack();
  const node = new Node(options, { config, logger, manager, stack, env: process.env, predecessor });
  try {
    const starting = node.start();
    // Told to stop before it ever served, there is nothing to drain.
    const outcome = await Promise.race([starting.then(() => "started" as const), signals.leave]);
    if (outcome !== "started") {
      starting.catch(() => undefined);
      return "finished";
    }
    signals.onReload(() => void node.reload());
    signals.onHandOver(() => void node.handToSuccessor());
    predecessor?.serving({ reload: () => void node.reload(), leave: signals.stop });
    signals.onReopen(() => {
      reopenLogFiles();
      node.reopenLogs();
    });
    await Promise.race([signals.leave, node.handOver.done]);
    const told = !node.handOver.isDone;
    if (told && !(await node.handOver.abandon())) {
      signals.onReload(() => undefined);
      return await leave(node, signals.atOnce, () => manager.stopping("finishing"));
    }
    // Told to stop while the other one began to serve: it is the node, so it is meant.
    if (told) node.handOver.pass("leave");
    void signals.leave.then(() => node.handOver.letGo(true));
    const finished = await finish(node, AbortSignal.any([signals.atOnce, node.handOver.cut]));
    // Told as a failure, it has systemd start the node again.
    return (await node.handOver.lost()) ? "cut" : finished;
  } finally {
    manager.stop();
    const stopping = stack
      .stop()
      .catch((error) => logger.error({ error: errorText(error) }, "stopping was incomplete"));
    await Promise.race([stopping, delay(stopMsMax)]);
  }
}

async function leave(node: Node, atOnce: AbortSignal, tellManager: () => void): Promise<"finished" | "cut"> {
  tellManager();
  return await drain(node.drainSteps(), {
    settleMs: node.settings.settleMs,
    deadlineMs: node.settings.drainDeadlineMs,
    clock: systemClock,
    atOnce,
    onPhase: (phase) => node.enter(phase),
  });
}

/** Another process serves: there is no hurry, and no deadline. */
async function finish(node: Node, atOnce: AbortSignal): Promise<"finished" | "cut"> {
  return await drain(node.finishSteps(), {
    settleMs: 0,
    deadlineMs: 0,
    clock: systemClock,
    atOnce,
    onPhase: (phase) => node.enter(phase),
  });
}

type Signals = {
  readonly leave: Promise<"leave">;
  readonly atOnce: AbortSignal;
  /** As TERM. */
  stop(): void;
  onReload(handle: () => void): void;
  onHandOver(handle: () => void): void;
  onReopen(handle: () => void): void;
};

function listenForSignals(): Signals {
  const leave = Promise.withResolvers<"leave">();
  const atOnce = new AbortController();
  let told = false;
  let reload: (() => void) | null = null;
  let reloadDue = false;
  let handOver: (() => void) | null = null;
  let handOverDue = false;
  let reopen: () => void = () => undefined;
  const stop = () => {
    if (told) atOnce.abort();
    told = true;
    leave.resolve("leave");
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("SIGQUIT", () => {
    told = true;
    stop();
  });
  process.on("SIGHUP", () => {
    // One that comes while the node starts is made up for when it has.
    if (reload) reload();
    else reloadDue = true;
  });
  process.on("SIGUSR2", () => {
    if (handOver) handOver();
    else handOverDue = true;
  });
  process.on("SIGUSR1", () => reopen());
  return {
    leave: leave.promise,
    atOnce: atOnce.signal,
    stop,
    onReload: (handle) => {
      reload = handle;
      if (reloadDue) handle();
      reloadDue = false;
    },
    onHandOver: (handle) => {
      handOver = handle;
      if (handOverDue) handle();
      handOverDue = false;
    },
    onReopen: (handle) => {
      reopen = handle;
    },
  };
}
