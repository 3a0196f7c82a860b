// A running node: its socket, its workers and its row in the registry. The supervisor says when it starts, reloads and leaves.
import assert from "node:assert/strict";
import type { Config } from "../core/config.ts";
import { errorText, ServiceError } from "../core/errors.ts";
import { removeHandOverNote } from "../core/hand-over-note.ts";
import type { StopStack } from "../core/lifecycle.ts";
import type { Logger } from "../core/logger.ts";
import { endGivingWay } from "../core/session-share.ts";
import { Crew } from "./crew.ts";
import type { DrainPhase, DrainSteps } from "./drain.ts";
import { type Generation, guard } from "./generation.ts";
import { HandOver, type HandOverView } from "./hand-over.ts";
import { bindSocketAfterOrphans, type ListenSocket, takeInheritedSocket } from "./listen-socket.ts";
import { nodeAddress, nodeName } from "./node-address.ts";
import { nodeMetrics } from "./node-metrics.ts";
import { type NodeSettings, readNodeSettings } from "./node-settings.ts";
import type { NodeState } from "./parts.ts";
import { writePidFile } from "./pid-file.ts";
import type { Predecessor } from "./predecessor.ts";
import { NodeRegistry } from "./registry.ts";
import { Reload } from "./reload.ts";
import { Rounds } from "./rounds.ts";
import type { ServiceManager } from "./service-manager.ts";
import type { SupervisorOptions } from "./supervisor.ts";
import { WorkerPool } from "./worker-pool.ts";

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
  /** Null until it is written. */
  #pidFile: string | null = null;
  readonly handOver: HandOver;
  readonly #reload: Reload;

  constructor(options: SupervisorOptions, deps: NodeDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#logger = deps.logger;
    this.handOver = new HandOver({ view: () => this.#handOverView(), logger: () => this.#logger });
    this.#reload = new Reload({
      options,
      manager: deps.manager,
      crew: this.#crew,
      view: () => ({
        serving: this.#state === "serving",
        current: this.#generation,
        registry: this.#registry,
        rounds: this.#rounds,
        logger: this.#logger,
        statusLine: this.#statusLine(),
        facts: this.#facts(),
      }),
      newPool: (of) => this.#newPool(of),
      replace: (next, logger) => {
        this.#current = next;
        this.#logger = logger;
      },
      afterwards: (work) => this.#afterwards(work),
    });
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
    if (!predecessor) endGivingWay();
    else await this.#takeOver(predecessor, settings, pool);
    this.#state = "serving";
    rounds.start(stack);
    this.#logger.info(this.#facts(), "serving");
    if (!predecessor) this.#deps.manager.ready(this.#statusLine());
  }

  /** Takes the files as they are now, without a break in service; where they are wrong, all stays as it was. Never throws. */
  async reload(): Promise<void> {
    if (this.handOver.isDone) return this.handOver.pass("reload");
    await this.#reload.ask({ later: this.handOver.running });
  }

  /** Lets a new process take over. Where none does, all stays as it was. Never throws. */
  async handToSuccessor(): Promise<void> {
    await this.#reload.running;
    if (this.#state !== "serving") return;
    const done = await this.handOver.run();
    // A reload that was asked for meanwhile is the business of whoever serves now.
    if (!this.#reload.takeNote()) return;
    if (done) this.handOver.pass("reload");
    else await this.reload();
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
        this.handOver.leftSocket();
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
    const { manager } = this.#deps;
    manager.ready(this.#statusLine());
    // The process before leaves once we serve; with it ends a unit whose main process it still is, and all that is in it.
    if (!(await manager.delivered()))
      throw new ServiceError("node.start_refused", "systemd was not told which process serves: systemd-notify failed");
  }

  #writePidFile(settings: NodeSettings): void {
    const pidFile = this.#options.pidFile ?? settings.pidFile;
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
