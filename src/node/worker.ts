// One worker process: builds the service it is told to serve, listens on the inherited socket, and leaves as the supervisor says.
//
//   starting -> serving --drain--> leaving --close--> finishing -> gone
//                  |--retire, hand-over----------------^
//                  `--the supervisor died--> leaving for a moment, then finishing, but never beyond the life of its registry row
//   any --cut--> gives up what runs -> gone
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { collectDefaultMetrics, register } from "prom-client";
import { readDisableFiles } from "../api/pipeline/healthcheck.ts";
import { readPipeline } from "../api/pipeline/pipeline.ts";
import { type Config, type ConfigOptions, loadConfig } from "../core/config.ts";
import { errorText, isServiceError } from "../core/errors.ts";
import { type Logger, reopenLogFiles } from "../core/logger.ts";
import { TransferTracker } from "../core/transfers.ts";
import { nodeLiveSeconds } from "../db/schema/own-tables.ts";
import { listenOptions, nodeOptions } from "./config.ts";
import { Connections } from "./connections.ts";
import { disableFile } from "./disable-file.ts";
import { listenOnInherited } from "./http-listener.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { openLogger } from "./open-logger.ts";
import { workerTitle } from "./orphans.ts";
import { Passage } from "./passage.ts";
import { SupervisorChannel } from "./supervisor-channel.ts";
import { summarizeTransfers } from "./transfer-summary.ts";
import { WorkerGate } from "./worker-gate.ts";
import type { StartMessage, ToWorker } from "./worker-protocol.ts";

/** What a worker serves. Made by the wiring, which knows the database, the stores and the API. */
export type WorkerService = {
  /** Not listening yet. */
  readonly server: Server;
  /** Ends work that no connection stands for: what it was done for goes back to where it was. */
  cut(): void;
  /** Ends work of its own accord, which another process does from now on; requests under way go on. */
  quiesce(): void;
  /** Called when no connection is left; gives everything back. */
  close(): Promise<void>;
};

export type WorkerContext = {
  readonly config: Config;
  readonly nodeName: string;
  readonly gate: WorkerGate;
  readonly transfers: TransferTracker;
  readonly logger: Logger;
};

export type WorkerOptions = {
  readonly configuration: ConfigOptions;
  /** Throws ServiceErrors, which become the line the node ends with. */
  readonly build: (context: WorkerContext) => Promise<WorkerService>;
};

/** Workers without a supervisor keep the port no longer than this, since a restarted supervisor waits for it. */
const orphanSettleMsMax = 2_000;
/** Its row was last renewed up to a heartbeat (10 s at most) ago, and contract may rely on nobody writing once the row is dead. */
const orphanFinishMsMax = (nodeLiveSeconds - 15) * 1000;
/** How long giving up may take, which is: returning images to `queued`. */
const cutMsMax = 3_000;
const closeMsMax = 5_000;
const checkMs = 100;
/** Shorter pauses are a client thinking. */
const silentMsMin = 1_000;
/** Paths that carry image data: their duration is the client's, and says nothing about the node. */
const transferPath = /^\/v2[.\d]*\/images\/[^/]+\/(file|stage)(\?|$)/;

/** Serves until the supervisor says otherwise, then ends the process. */
export function runWorker(options: WorkerOptions): void {
  process.title = workerTitle(process.ppid);
  // A terminal or a service manager signals the whole group; only the supervisor decides what happens next.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const)
    process.on(signal, () => undefined);
  let worker: Worker | null = null;
  const channel = new SupervisorChannel(
    (message) => {
      if (message.do !== "start") {
        worker?.obey(message);
        return;
      }
      const begin = async () => {
        worker = new Worker(options, message, channel);
        await worker.start();
      };
      begin().catch(async (error) => {
        const code = isServiceError(error) ? error.code : null;
        const text = code === null && error instanceof Error ? (error.stack ?? error.message) : errorText(error);
        await channel.sent({ did: "fail", code, message: text });
        process.exit(1);
      });
    },
    () => (worker ? worker.orphaned() : process.exit(1)),
  );
}

class Worker {
  readonly #options: WorkerOptions;
  readonly #channel: SupervisorChannel;
  readonly #config: Config;
  readonly #nodeName: string;
  readonly #logger: Logger;
  readonly #gate: WorkerGate;
  readonly #transfers = new TransferTracker();
  readonly #latency = new LatencyHistogram();
  readonly #mayListen = Promise.withResolvers<void>();
  #service: WorkerService | null = null;
  #passage: Passage | null = null;
  #connections: Connections | null = null;
  #finishing = false;

  constructor(options: WorkerOptions, start: StartMessage, channel: SupervisorChannel) {
    this.#options = options;
    this.#channel = channel;
    this.#nodeName = start.nodeName;
    this.#config = loadConfig({ files: start.config, ...options.configuration });
    this.#logger = openLogger(this.#config, "glance-api").child({ node: start.nodeName });
    const { bind_port: port } = this.#config.read(listenOptions);
    this.#gate = new WorkerGate({
      disabledByFile: disableFile(readDisableFiles(this.#config, readPipeline(this.#config), port)),
      metrics: () => channel.metrics(),
    });
    this.#gate.leaving = start.draining;
    this.#gate.unfit = start.unfit;
    if (start.listen) this.#mayListen.resolve();
  }

  async start(): Promise<void> {
    collectDefaultMetrics();
    const service = await this.#options.build({
      config: this.#config,
      nodeName: this.#nodeName,
      gate: this.#gate,
      transfers: this.#transfers,
      logger: this.#logger,
    });
    this.#service = service;
    this.#passage = new Passage(service.server, this.#logger);
    this.#connections = new Connections(service.server);
    service.server.prependListener("request", (request: IncomingMessage, response: ServerResponse) =>
      this.#measure(request, response),
    );
    this.#channel.send({ did: "built" });
    await this.#mayListen.promise;
    await listenOnInherited(service.server, this.#config, this.#gate);
    this.#channel.send({ did: "ready" });
  }

  obey(message: Exclude<ToWorker, StartMessage>): void {
    switch (message.do) {
      case "listen":
        this.#mayListen.resolve();
        break;
      case "fit":
        this.#gate.unfit = message.unfit;
        break;
      case "drain":
        this.#gate.leaving = true;
        break;
      case "retire":
        this.#gate.retiring = true;
        this.#finishThenExit();
        break;
      case "hand-over":
        this.#handOver();
        break;
      case "close":
        this.#finishThenExit();
        break;
      case "cut":
        this.#detached(this.#cut());
        break;
      case "report":
        this.#report();
        break;
      case "collect":
        this.#detached(this.#collect(message.id));
        break;
      case "reopen-log":
        reopenLogFiles();
        break;
      case "metrics":
        // Answers are taken by the channel.
        break;
    }
  }

  /** The supervisor was killed. Nobody renews the registry row any more, so this process must end before the row counts as dead. */
  orphaned(): void {
    this.#logger.error("the supervisor is gone; finishing what runs, then ending");
    this.#gate.leaving = true;
    // Also of those that were about to finish anyway: nobody waits for them any more.
    const settleMs = Math.min(this.#config.read(nodeOptions).drain_settle_seconds * 1000, orphanSettleMsMax);
    setTimeout(() => this.#finishThenExit(), settleMs);
    setTimeout(() => this.#detached(this.#cut()), orphanFinishMsMax);
  }

  #handOver(): void {
    const { bind_host: host, bind_port: port } = this.#config.read(listenOptions);
    this.#gate.retiring = true;
    this.#passage?.passOn({ host: reachable(host), port });
    this.#service?.quiesce();
    this.#finishThenExit();
  }

  #finishThenExit(): void {
    if (!this.#finishing) this.#detached(this.#finish());
    this.#finishing = true;
  }

  async #finish(): Promise<void> {
    const connections = this.#connections;
    if (!connections) process.exit(0);
    await connections.closeListener();
    this.#channel.send({ did: "close" });
    // Active clients were told to go by `Connection: close`; a connection that was silent for as long as the node
    // settled belongs to nobody who is about to use it.
    const silentMs = Math.max(silentMsMin, this.#config.read(nodeOptions).drain_settle_seconds * 1000);
    const timer = setInterval(() => connections.endSilent(silentMs), checkMs);
    await connections.empty();
    clearInterval(timer);
    // Imports have no client that waits for them; their images do.
    while (this.#transfers.snapshot().some(({ kind }) => kind === "import")) await delay(checkMs);
    // An upload cut by its client goes on for a moment: its image is returned to the queue.
    const giveUpMs = performance.now() + cutMsMax;
    while (this.#transfers.snapshot().length > 0 && performance.now() < giveUpMs) await delay(checkMs / 4);
    await this.#closeService();
    process.exit(0);
  }

  async #cut(): Promise<void> {
    this.#gate.leaving = true;
    this.#finishThenExit();
    this.#connections?.destroyAll();
    this.#service?.cut();
    await delay(cutMsMax + closeMsMax);
    process.exit(1);
  }

  async #closeService(): Promise<void> {
    const closing = this.#service?.close().catch((error) => {
      this.#logger.error({ error: errorText(error) }, "closing failed");
    });
    await Promise.race([closing, delay(closeMsMax)]);
  }

  #report(): void {
    this.#channel.send({
      did: "report",
      report: {
        transfers: summarizeTransfers(this.#transfers.snapshot(), Date.now()),
        requestsInFlight: this.#connections?.requestsInFlight ?? 0,
        connections: this.#connections?.open ?? 0,
        usesDatabase: this.#usesDatabase(),
        passesOn: this.#passage?.passesOn ?? false,
        latency: this.#latency.take(),
      },
    });
  }

  #usesDatabase(): boolean {
    const passage = this.#passage;
    if (!passage?.passesOn || passage.busy) return true;
    return this.#transfers.snapshot().some(({ kind }) => kind !== "download");
  }

  async #collect(id: number): Promise<void> {
    this.#channel.send({ did: "collect", id, metrics: await register.getMetricsAsJSON() });
  }

  #measure(request: IncomingMessage, response: ServerResponse): void {
    if (transferPath.test(request.url ?? "")) return;
    const beganMs = performance.now();
    response.once("finish", () => this.#latency.record(performance.now() - beganMs));
  }

  /** For work nobody waits for: a failure of it is a programmer's mistake, logged and then fatal. */
  #detached(work: Promise<void>): void {
    work.catch((error) => {
      this.#logger.fatal({ error }, "worker failed");
      process.exit(1);
    });
  }
}

/** From where the node itself can be reached on this machine. */
function reachable(host: string): string {
  return host === "0.0.0.0" || host === "" ? "127.0.0.1" : host === "::" ? "::1" : host;
}
