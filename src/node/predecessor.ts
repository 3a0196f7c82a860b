// The process we take over from, as the new supervisor sees it: it keeps serving until we do, and lives on until it has finished its
// transfers. hand-over-protocol.ts draws what is said.
import { setTimeout as delay } from "node:timers/promises";
import { ServiceError } from "../core/errors.ts";
import { endGivingWay } from "../core/session-share.ts";
import {
  handedSocketFd,
  handOverFormat,
  handOverVariable,
  type TakeOver,
  type ToPredecessor,
  type ToSuccessor,
} from "./hand-over-protocol.ts";
import { leaveIdleClass } from "./idle-class.ts";
import { heldSocket, type ListenSocket } from "./listen-socket.ts";

/** It speaks right after it has started us. */
const greetingMsMax = 30_000;

export class Predecessor {
  readonly pid: number;
  readonly #about: TakeOver;
  readonly #lost: Promise<void>;
  readonly #mayServe = Promise.withResolvers<void>();
  #handlers: { readonly reload: () => void; readonly leave: () => void } | null = null;
  readonly #early: ("reload" | "leave")[] = [];

  /** Null where this process was started by nobody of ours. Throws node.start_refused where we cannot make out what it says. */
  static async meet(env: Record<string, string | undefined>): Promise<Predecessor | null> {
    const format = env[handOverVariable];
    delete env[handOverVariable];
    if (format === undefined || process.send === undefined) return null;
    const greeting = Promise.withResolvers<TakeOver | null>();
    let hear: (message: Exclude<ToSuccessor, TakeOver>) => void = () => undefined;
    process.on("message", (message: ToSuccessor) => {
      if (message.do === "take-over") greeting.resolve(message);
      else hear(message);
    });
    const lost = new Promise<void>((resolve) => process.once("disconnect", resolve));
    const over = new AbortController();
    const late = delay(greetingMsMax, null, { signal: over.signal }).catch(() => null);
    const about = await Promise.race([greeting.promise, lost.then(() => null), late]).finally(() => over.abort());
    if (about === null) {
      const message = "the process to take over from ended, or said nothing; start glance-api by itself";
      throw new ServiceError("node.start_refused", message);
    }
    if (about.format > handOverFormat || Number(format) > handOverFormat) {
      const message = `the running process hands over in a newer way (${about.format}) than this package knows (${handOverFormat}); stop it, then start this one`;
      throw new ServiceError("node.start_refused", message);
    }
    const predecessor = new Predecessor(about, lost);
    hear = (message) => predecessor.#hear(message);
    return predecessor;
  }

  private constructor(about: TakeOver, lost: Promise<void>) {
    this.#about = about;
    this.pid = about.pid;
    this.#lost = lost;
    // Nobody serves from then on, and nobody else changes it.
    lost.then(endGivingWay);
    lost.then(() => this.#leaveIdleClass()).catch(() => undefined);
  }

  /** Its socket, which is ours from now on. Throws config.invalid where the configuration names another address. */
  socket(settings: { readonly host: string; readonly port: number }): ListenSocket {
    const { host, port, bindHost, inherited } = this.#about;
    if (settings.host !== bindHost || settings.port !== port) {
      const message = `[DEFAULT] bind_host and bind_port say ${settings.host}:${settings.port}, but a node that takes over serves on the socket there is, ${bindHost}:${port}; change the address by a reload (HUP) or a restart`;
      throw new ServiceError("config.invalid", message, { facts: { host, port } });
    }
    return heldSocket({ fd: handedSocketFd, host, port, inherited });
  }

  /** Says that all but listening is done. Resolves when we are to serve: because it says so, or because it is gone. */
  async permission(): Promise<void> {
    endGivingWay();
    // By itself, so that the process that serves finds nothing to do; what fails here that one may be allowed to.
    await this.#leaveIdleClass().catch(() => undefined);
    this.#send({ did: "ready" });
    const told = await Promise.race([this.#mayServe.promise.then(() => true), this.#lost.then(() => false)]);
    await this.#leaveIdleClass().catch((error: unknown) => {
      // With nobody else to serve, slow is better than not at all.
      if (told) throw error;
    });
  }

  /** From now on it only finishes what it has. Reloads and stops that reach it are handed to us. */
  serving(handlers: { readonly reload: () => void; readonly leave: () => void }): void {
    this.#send({ did: "serving" });
    this.#handlers = handlers;
    for (const what of this.#early.splice(0)) handlers[what]();
  }

  /** Resolves when it has been told, so that this process may end. */
  async fail(message: string): Promise<void> {
    if (!process.connected) return;
    const said: ToPredecessor = { did: "fail", message };
    await new Promise<void>((resolve) => process.send?.(said, undefined, undefined, () => resolve()));
  }

  /** Resolves when it has finished and ended. */
  gone(): Promise<void> {
    return this.#lost;
  }

  /** Makes it give up what it still has under way. */
  cut(): void {
    this.#send({ did: "cut" });
  }

  /** Ends it, where it does not even give up. */
  kill(): void {
    try {
      process.kill(this.pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  }

  /** With all that we have started. Throws an Error where something stays. */
  async #leaveIdleClass(): Promise<void> {
    if (this.#about.idle) await leaveIdleClass(process.pid);
  }

  #hear(message: Exclude<ToSuccessor, TakeOver>): void {
    if (message.do === "serve") this.#mayServe.resolve();
    else if (this.#handlers) this.#handlers[message.do]();
    else this.#early.push(message.do);
  }

  /** Dropped where it is gone, which is no harm. */
  #send(message: ToPredecessor): void {
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  }
}
