// Handing the node over to a new process, from the side of the one that serves. Until the new one serves, nothing of this one changes;
// what fails is said in the log and in the note beside the pid file. hand-over-protocol.ts draws what the two say to each other.
//
// A new process that dies while this one still finishes what it has is a child of this one, so systemd (252) takes no notice, and would show the
// unit as active with nobody serving. Under systemd this process therefore starts the node again itself, as systemd would (revival.ts).
import { splitCommand } from "../core/command-line.ts";
import { errorText, ServiceError } from "../core/errors.ts";
import { writeHandOverNote } from "../core/hand-over-note.ts";
import type { Logger } from "../core/logger.ts";
import { canLeaveIdleClass } from "./idle-class.ts";
import { isFree, type ListenSocket } from "./listen-socket.ts";
import type { NodeSettings } from "./node-settings.ts";
import type { NodeRegistry } from "./registry.ts";
import { revive } from "./revival.ts";
import type { Rounds } from "./rounds.ts";
import type { ServiceManager } from "./service-manager.ts";
import { Successor, type SuccessorOptions } from "./successor.ts";

/** The node as hand-overs see it, at the moment of asking. */
export type HandOverView = {
  /** As the configuration files are now, or were when they could last be read. */
  readonly settings: NodeSettings;
  /** Where our process id stands, and by what it is written again. */
  readonly pidFile: { readonly path: string; readonly restore: () => void } | null;
  readonly socket: ListenSocket;
  readonly bindHost: string;
  readonly registry: NodeRegistry;
  readonly rounds: Rounds;
  readonly manager: ServiceManager;
  readonly statusLine: string;
};

export class HandOver {
  readonly #view: () => HandOverView;
  readonly #logger: () => Logger;
  readonly #abandoned = new AbortController();
  readonly #cut = new AbortController();
  readonly #done = Promise.withResolvers<void>();
  #running: Promise<boolean> | null = null;
  #successor: Successor | null = null;
  /** Resolves when no process of ours listens any more. */
  readonly #left = Promise.withResolvers<void>();
  readonly #over = new AbortController();
  /** What failed once may have failed for this. */
  #mayGiveWay = true;
  /** Nobody serves the node. */
  #lost = false;
  #toldToLeave = false;
  /** Settled when it is known whether somebody serves. */
  #judged: Promise<unknown> = Promise.resolve();

  constructor(options: { view: () => HandOverView; logger: () => Logger }) {
    this.#view = options.view;
    this.#logger = options.logger;
  }

  /** One is under way, and how it ends is not known. */
  get running(): boolean {
    return this.#running !== null;
  }

  /** Another process serves the node. */
  get isDone(): boolean {
    return this.#successor !== null;
  }

  /** Resolves when another process serves the node. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Aborts when the process that took over wants this one gone. */
  get cut(): AbortSignal {
    return this.#cut.signal;
  }

  /** True where a new process serves the node, at the end of this call or already. Two at once are one. Never throws. */
  async run(): Promise<boolean> {
    if (this.isDone) return true;
    this.#running ??= this.#try().finally(() => {
      this.#running = null;
    });
    return await this.#running;
  }

  /** This process is to leave: a new one that was not yet told to serve is ended. Resolves with whether one serves. */
  async abandon(): Promise<boolean> {
    this.#abandoned.abort();
    return (await this.#running) ?? this.isDone;
  }

  /** What reached this process too late. */
  pass(what: "reload" | "leave"): void {
    this.#successor?.send({ do: what });
  }

  /** No process of ours listens any more. */
  leftSocket(): void {
    this.#left.resolve();
  }

  /** This process is over, or was told to be (`toldTo`): nobody is started any more. */
  letGo(toldTo: boolean): void {
    this.#toldToLeave ||= toldTo;
    this.#over.abort();
  }

  /** Whether the process that took over died, none took its place, and nobody had wished that; then the manager knows this process as the main one. */
  async lost(): Promise<boolean> {
    this.letGo(false);
    await this.#judged;
    return this.#lost && !this.#toldToLeave;
  }

  async #try(): Promise<boolean> {
    const { manager, statusLine } = this.#view();
    let successor: Successor | null = null;
    manager.reloading();
    try {
      const givesWay = this.#mayGiveWay;
      const idle = givesWay && (await canLeaveIdleClass());
      successor = this.#start(this.#view().socket, { givesWay, idle });
      this.#note("under way", successor);
      await this.#lead(successor);
    } catch (error) {
      const why = errorText(error);
      this.#mayGiveWay = false;
      await successor?.kill();
      // The note first: who reads of the end in the log finds it there, and a note that is asked for next is another one.
      this.#note("failed", successor, why);
      this.#logger().error({ error: why }, "hand-over refused; the node goes on as it was");
      manager.ready(statusLine);
      return false;
    }
    manager.handedOver();
    manager.stop();
    this.#successor = successor;
    this.#logger().info({ successor: successor.pid }, "handed over; finishing what is under way");
    this.#note("done", successor);
    this.#done.resolve();
    void this.#lookAfter(successor);
    return true;
  }

  /** Until this process ends. Never throws. */
  async #lookAfter(first: Successor): Promise<void> {
    const { manager, socket, settings } = this.#view();
    for (let successor: Successor | undefined = first; successor; ) {
      const { how, inOrder } = await successor.gone;
      if (inOrder || this.#over.signal.aborted || this.#cut.signal.aborted) return;
      this.#logger().error({ successor: successor.pid }, `the process that took over ended ${how}`);
      await this.#left.promise;
      // A socket of systemd's starts the unit again by itself, once it is over.
      if (!manager.present || socket.inherited) return;
      this.#judged = this.#judge(socket);
      await this.#judged;
      if (!this.#lost) return;
      const start = (held: ListenSocket) => this.#start(held, { givesWay: false, idle: false });
      const signal = AbortSignal.any([this.#over.signal, this.#cut.signal]);
      successor = await revive({ socket, settings, start, logger: this.#logger() }, signal);
      if (!successor) return;
      this.#logger().info({ successor: successor.pid }, "another process serves");
      this.#lost = false;
      this.#successor = successor;
      manager.handedOver();
      manager.stop();
    }
  }

  /** Never throws. */
  async #judge(socket: ListenSocket): Promise<void> {
    // Another process serves where that one had handed over in its turn.
    this.#lost = await isFree(socket);
    if (!this.#lost) return;
    const { manager } = this.#view();
    manager.back("the process that took over died; finishing transfers");
    await manager.delivered();
  }

  #start(socket: ListenSocket, way: Pick<SuccessorOptions, "givesWay" | "idle">): Successor {
    const { settings, bindHost, manager } = this.#view();
    const own = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    const [program, ...args] = settings.handOverCommand === null ? own : splitCommand(settings.handOverCommand);
    if (program === undefined) throw failure("[perennial] handover_command names no program");
    const { host, port, inherited, fd: socketFd } = socket;
    return new Successor({
      command: [program, ...args],
      socketFd,
      about: { pid: process.pid, host, port, bindHost, inherited },
      environment: manager.environment,
      ...way,
      onCut: () => this.#cut.abort(),
    });
  }

  /** Throws node.handover_failed, what the database says; then the new process must not live on. */
  async #lead(successor: Successor): Promise<void> {
    const { settings, registry, rounds, manager } = this.#view();
    this.#logger().info({ successor: successor.pid }, "handing over");
    await orAbandoned(successor.ready(settings.handOverMsMax), this.#abandoned.signal);
    // Heard after the READY=1 of the new process, the announcement of this reload would stand for the state of the node.
    await manager.delivered();
    try {
      await registry.stepAside(rounds.heartbeat());
      // A heartbeat under way is one under the name, which is about to be another process's.
      await rounds.idle();
      if (this.#abandoned.signal.aborted) throw leaving();
      successor.send({ do: "serve" });
      await successor.serving();
    } catch (error) {
      await successor.kill();
      this.#view().pidFile?.restore();
      await registry.stepBack();
      rounds.soon();
      throw error;
    }
  }

  #note(state: "under way" | "done" | "failed", successor: Successor | null, why: string | null = null): void {
    const { pidFile } = this.#view();
    if (pidFile === null) return;
    try {
      writeHandOverNote(pidFile.path, { state, from: process.pid, to: successor?.pid ?? null, why });
    } catch (error) {
      this.#logger().warn({ error: errorText(error) }, "the note on the hand-over cannot be written");
    }
  }
}

async function orAbandoned(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const stop = Promise.withResolvers<never>();
  const abandon = () => stop.reject(leaving());
  if (signal.aborted) abandon();
  signal.addEventListener("abort", abandon, { once: true });
  try {
    await Promise.race([work, stop.promise]);
  } finally {
    signal.removeEventListener("abort", abandon);
    stop.promise.catch(() => undefined);
  }
}

function leaving(): ServiceError {
  return failure("this node is told to leave");
}

function failure(why: string): ServiceError {
  return new ServiceError("node.handover_failed", `no new process takes over: ${why}`);
}
