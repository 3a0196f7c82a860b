// A running node: its socket, its workers and its row in the registry. The supervisor says when it starts, reloads and leaves.
import assert from "node:assert/strict";
import type { Config } from "../core/config.ts";
import { errorText, ServiceError } from "../core/errors.ts";
import { removeHandOverNote } from "../core/hand-over-note.ts";
import type { StopStack } from "../core/lifecycle.ts";
import type { Logger } from "../core/logger.ts";
import { Crew } from "./crew.ts";
import type { DrainPhase, DrainSteps } from "./drain.ts";
import { HandOver, type HandOverView } from "./hand-over.ts";
import { bindSocket, bindSocketAfterOrphans, type ListenSocket, takeInheritedSocket } from "./listen-socket.ts";
import { nodeAddress, nodeName } from "./node-address.ts";
import { nodeMetrics } from "./node-metrics.ts";
import { type NodeSettings, readNodeSettings } from "./node-settings.ts";
import { loggerFor } from "./open-logger.ts";
import type { NodeParts, NodeState } from "./parts.ts";
import { writePidFile } from "./pid-file.ts";
import type { Predecessor } from "./predecessor.ts";
import { NodeRegistry } from "./registry.ts";
import { Rounds } from "./rounds.ts";
import type { ServiceManager } from "./service-manager.ts";
import type { SupervisorOptions } from "./supervisor.ts";
import { warnOfUnknown } from "./warn-of-unknown.ts";
import { WorkerPool } from "./worker-pool.ts";

/** What belongs to one reading of the configuration; a reload replaces it as a whole. */
type Generation = {
  readonly config: Config;
  readonly settings: NodeSettings;
  readonly socket: ListenSocket;
  readonly parts: NodeParts;
  readonly pool: WorkerPool;
};

type NodeDeps = {
  readonly config: Config;
  readonly logger: Logger;
  readonly manager: ServiceManager;
  /** What has to be undone when the node ends, however it ends. */
  readonly stack: StopStack;
  readonly env: Record<string, string | undefined>;
  /** The process that serves until this one does; null: none. */
  readonly predecessor: Predecessor | null;
};

export class Node {
  readonly #options: SupervisorOptions;
  readonly #deps: NodeDeps;
  readonly #crew = new Crew();
  #logger: Logger;
  #state: NodeState = "starting";
  #current: Generation | null = null;
  #known: { readonly registry: NodeRegistry; readonly rounds: Rounds } | null = null;
  #reloading: Promise<void> | null = null;
  #reloadAgain = false;
  /** Null until it is written. */
  #pidFile: string | null = null;
  readonly handOver: HandOver;

  constructor(options: SupervisorOptions, deps: NodeDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#logger = deps.logger;
    this.handOver = new HandOver({ view: () => this.#handOverView(), logger: () => this.#logger });
  }

  get settings(): NodeSettings {
    return this.#generation.settings;
  }

  /** Throws node.port_in_use, node.start_refused, db.unreachable and whatever else keeps it from serving. */
  async start(): Promise<void> {
    const { config, stack, predecessor } = this.#deps;
    const settings = readNodeSettings(config);
    const socket = await this.#takeSocket(settings);
    if (!predecessor) this.#writePidFile(settings);

    const name = nodeName(settings.nodeName, socket.port);
    const parts = await this.#options.openParts(config, { nodeName: name, logger: this.#logger, patient: true });
    stack.defer(() => (this.#current?.parts ?? parts).close());
    const registry = new NodeRegistry({
      name,
      address: nodeAddress(socket),
      records: parts.nodes,
      packageVersion: this.#options.packageVersion,
      pid: process.pid,
      logger: () => this.#logger,
    });
    // Before anything is written, so that a wrong database stays as it is; and again after the row stands, so that of a contract
    // that begins meanwhile one sees the other.
    await guard(parts);
    await parts.ensureTables();
    await (predecessor ? registry.registerBeside(settings.release) : registry.register(settings.release));
    stack.defer(() => registry.leave(this.#current?.settings.release ?? settings.release));
    await guard(parts);

    const rounds = new Rounds({
      crew: this.#crew,
      registry,
      view: () => ({
        state: this.#state,
        handedOver: this.handOver.isDone,
        settings: this.settings,
        parts: this.#generation.parts,
      }),
      logger: () => this.#logger,
    });
    this.#known = { registry, rounds };
    const pool = this.#newPool({ config, settings, socket, held: predecessor !== null });
    this.#current = { config, settings, socket, parts, pool };
    this.#crew.add(pool, settings.release);
    stack.defer(() => this.#crew.kill());
    await pool.start();
    if (predecessor) await this.#takeOver(predecessor, settings, pool);
    this.#state = "serving";
    rounds.start(stack);
    this.#logger.info(this.#facts(), "serving");
    this.#deps.manager.ready(this.#statusLine());
  }

  /** Takes the files as they are now, without a break in service; where they are wrong, all stays as it was. Never throws. */
  async reload(): Promise<void> {
    if (this.handOver.isDone) return this.handOver.pass("reload");
    const busy = this.#reloading !== null || this.handOver.running;
    this.#reloadAgain = busy;
    if (busy) return;
    this.#reloading = this.#reloadWhileAsked();
    await this.#reloading;
    this.#reloading = null;
  }

  /** Lets a new process take over. Where none does, all stays as it was. Never throws. */
  async handToSuccessor(): Promise<void> {
    await this.#reloading;
    if (this.#state !== "serving") return;
    const done = await this.handOver.run();
    // A reload that was asked for meanwhile is the business of whoever serves now.
    if (!this.#reloadAgain) return;
    this.#reloadAgain = false;
    if (done) this.handOver.pass("reload");
    else await this.reload();
  }

  async #reloadWhileAsked(): Promise<void> {
    do {
      this.#reloadAgain = false;
      this.#deps.manager.reloading();
      try {
        await this.#reloadOnce();
        this.#logger.info(this.#facts(), "reloaded");
      } catch (error) {
        this.#logger.error({ error: errorText(error) }, "reload refused; the node goes on as it was");
      }
      this.#deps.manager.ready(this.#statusLine());
    } while (this.#reloadAgain && this.#state === "serving");
  }

  reopenLogs(): void {
    this.#crew.tell({ do: "reopen-log" });
  }

  drainSteps(): DrainSteps {
    return {
      settle: () => {
        this.#state = "draining";
        this.#crew.tell({ do: "drain" });
        this.#rounds.soon();
      },
      close: async () => {
        this.#generation.socket.close();
        await this.#crew.leave("close");
      },
      ended: () => this.#ended(),
      cut: () => {
        this.#generation.socket.close();
        this.#cut();
      },
      kill: () => this.#kill(),
    };
  }

  /** The way out of a process that has handed over: nobody has to notice, and nothing is refused. */
  finishSteps(): DrainSteps {
    return {
      settle: () => {
        this.#state = "draining";
      },
      close: async () => {
        this.#generation.socket.leaveToOther();
        await this.#crew.leave("hand-over");
        await this.#rounds.onlyBeats();
        this.#rounds.soon();
      },
      ended: () => this.#ended(),
      cut: () => {
        this.#generation.socket.leaveToOther();
        this.#cut();
      },
      kill: () => this.#kill(),
    };
  }

  /** With its own workers, the process it took over from: its transfers are the node's as well. */
  async #ended(): Promise<void> {
    await Promise.all([this.#crew.ended(), this.#deps.predecessor?.gone()]);
  }

  #cut(): void {
    this.#afterwards(this.#crew.leave("cut"));
    this.#deps.predecessor?.cut();
  }

  #kill(): void {
    this.#afterwards(this.#crew.kill());
    this.#deps.predecessor?.kill();
  }

  enter(phase: DrainPhase): void {
    this.#logger.info({ phase, ...this.#rounds.last.transfers }, `draining: ${phase}`);
    this.#deps.manager.status(`draining: ${phase}`);
  }

  async #takeSocket(settings: NodeSettings): Promise<ListenSocket> {
    const { env, stack, predecessor } = this.#deps;
    if (predecessor) {
      const socket = predecessor.socket(settings);
      // Before it served, closing it is not to be felt by the process that does.
      stack.defer(() => (this.#state === "starting" ? socket.leaveToOther() : this.#generation.socket.close()));
      return socket;
    }
    const inherited = takeInheritedSocket(env, { ...settings, pid: process.pid });
    const socket = inherited ?? (await bindSocketAfterOrphans(settings));
    // What a reload has replaced by the time of stopping is the reload's to close.
    stack.defer(() => (this.#current?.socket ?? socket).close());
    return socket;
  }

  /** All is built: serves as soon as the process before lets us, or is gone. Throws what keeps it from that. */
  async #takeOver(predecessor: Predecessor, settings: NodeSettings, pool: WorkerPool): Promise<void> {
    await predecessor.permission();
    await this.#registry.takeName(settings.release, predecessor.pid);
    this.#writePidFile(settings);
    await pool.listen();
  }

  #writePidFile({ pidFile }: NodeSettings): void {
    if (pidFile === null) return;
    const remove = writePidFile(pidFile, process.pid, this.#deps.predecessor?.pid);
    this.#pidFile = pidFile;
    this.#deps.stack.defer(() => {
      if (remove()) removeHandOverNote(pidFile);
    });
  }

  #handOverView(): HandOverView {
    const path = this.#pidFile;
    return {
      settings: this.#settingsNow(),
      pidFile: path === null ? null : { path, restore: () => void writePidFile(path, process.pid) },
      socket: this.#generation.socket,
      bindHost: this.settings.host,
      registry: this.#registry,
      rounds: this.#rounds,
      manager: this.#deps.manager,
      statusLine: this.#statusLine(),
    };
  }

  /** What the files say now of how to hand over. A newer package's files may be beyond us: the new process judges them. */
  #settingsNow(): NodeSettings {
    try {
      return readNodeSettings(this.#options.readConfig());
    } catch (error) {
      this.#logger.warn({ error: errorText(error) }, "the configuration cannot be read here; its last reading counts");
      return this.settings;
    }
  }

  get #generation(): Generation {
    assert(this.#current, "asked of a node that has workers");
    return this.#current;
  }

  get #rounds(): Rounds {
    assert(this.#known, "asked of a node that has started");
    return this.#known.rounds;
  }

  get #registry(): NodeRegistry {
    assert(this.#known, "asked of a node that has started");
    return this.#known.registry;
  }

  async #reloadOnce(): Promise<void> {
    const old = this.#generation;
    const config = this.#options.readConfig();
    const settings = readNodeSettings(config);
    const logger = loggerFor(config, { config: old.config, logger: this.#logger });
    const moves = settings.host !== old.settings.host || settings.port !== old.settings.port;
    const socket = moves && !old.socket.inherited ? await bindSocket(settings) : old.socket;
    const opened: { parts?: NodeParts; pool?: WorkerPool } = {};
    try {
      const parts = await this.#options.openParts(config, { nodeName: this.#registry.name, logger, patient: false });
      opened.parts = parts;
      await guard(parts);
      await parts.ensureTables();
      if (this.#state !== "serving") throw new Error("the node is leaving");
      const pool = this.#newPool({ config, settings, socket });
      opened.pool = pool;
      // From here on the row shows the older of both releases, and it must do so before a worker of an older one starts.
      this.#crew.add(pool, settings.release);
      await this.#rounds.beat();
      if (this.#state !== "serving") throw new Error("the node is leaving");
      await pool.start();
      this.#current = { config, settings, socket, parts, pool };
    } catch (error) {
      if (opened.pool) this.#crew.remove(opened.pool);
      if (socket !== old.socket) socket.close();
      await opened.parts?.close();
      throw error;
    }
    this.#logger = logger;
    warnOfUnknown(config, logger);
    this.#registry.records = this.#generation.parts.nodes;
    this.#registry.address = nodeAddress(socket);
    if (socket !== old.socket) old.socket.close();
    await old.pool.leave("retire");
    this.#afterwards(this.#retire(old));
  }

  /** The workers of before may take hours to finish; what the rounds under way still use is closed after them. */
  async #retire(old: Generation): Promise<void> {
    await this.#rounds.idle();
    await old.parts.close();
    await old.pool.ended();
    this.#crew.remove(old.pool);
    this.#rounds.soon();
  }

  #newPool(of: { config: Config; settings: NodeSettings; socket: ListenSocket; held?: boolean }): WorkerPool {
    return new WorkerPool({
      module: this.#options.workerModule,
      count: of.settings.workers,
      socketFd: of.socket.fd,
      held: of.held ?? false,
      start: () => ({
        do: "start",
        config: of.config.sources,
        nodeName: this.#registry.name,
        draining: this.#state === "draining",
        unfit: this.#rounds.unfit,
      }),
      wantMetrics: (answer) => this.#afterwards(this.#metrics(answer)),
      logger: this.#logger,
    });
  }

  async #metrics(answer: (contentType: string, body: string) => void): Promise<void> {
    const facts = {
      name: this.#registry.name,
      release: this.settings.release,
      packageVersion: this.#options.packageVersion,
      state: this.#state,
      fit: this.#rounds.unfit === null,
      workers: this.#crew.workers,
      workersReplaced: this.#crew.replaced,
      ...this.#rounds.last,
    };
    const { contentType, body } = await nodeMetrics(facts, await this.#crew.metrics());
    answer(contentType, body);
  }

  #facts(): Readonly<Record<string, string | number>> {
    const { release, workers } = this.settings;
    return { node: this.#registry.name, address: this.#registry.address, release, workers };
  }

  #statusLine(): string {
    return `serving as ${this.settings.release}, ${this.settings.workers} workers`;
  }

  /** For work nobody waits for. */
  #afterwards(work: Promise<void>): void {
    work.catch((error) => this.#logger.error({ error: errorText(error) }, "background work failed"));
  }
}

/** Throws node.start_refused where the database is not ready for the release, or past it. */
async function guard(parts: NodeParts): Promise<void> {
  const readiness = await parts.readiness();
  if (!readiness.ready) throw new ServiceError("node.start_refused", readiness.message);
}
