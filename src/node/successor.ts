// The process that is to take over, as the supervisor that started it sees it. hand-over-protocol.ts draws what is said.
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { errorText, ServiceError } from "../core/errors.ts";
import { givesWayVariable } from "../core/session-share.ts";
import {
  handOverFormat,
  handOverVariable,
  type TakeOver,
  type ToPredecessor,
  type ToSuccessor,
} from "./hand-over-protocol.ts";
import { IdleProcess } from "./idle-class.ts";

export type SuccessorOptions = {
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]];
  readonly socketFd: number;
  readonly about: Pick<TakeOver, "pid" | "host" | "port" | "bindHost" | "inherited">;
  /** What the service manager gave us for this process alone, and now for that one. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Another process serves while this one starts, and is not to be kept from it: by what is scheduled in other groups, and in the same one. */
  readonly givesWay: boolean;
  readonly idle: boolean;
  /** It asks to give up at once what this process still finishes. */
  readonly onCut: () => void;
};

/** Told to serve, a process has only to listen, and to write its row and its pid file. */
const servingMsMax = 60_000;

export class Successor {
  readonly #child: ChildProcess;
  readonly #options: SuccessorOptions;
  readonly #ready = Promise.withResolvers<void>();
  readonly #serving = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<{ readonly how: string; readonly inOrder: boolean }>();
  readonly #idle: IdleProcess | null;

  constructor(options: SuccessorOptions) {
    this.#options = options;
    const [program, ...args] = options.command;
    // In a group of its own: what ends this process's group, at the end of its time or of its terminal, is not meant for the new one.
    this.#child = spawn(program, args, {
      stdio: ["ignore", "inherit", "inherit", options.socketFd, "ipc"],
      detached: true,
      env: {
        ...process.env,
        ...options.environment,
        [handOverVariable]: String(handOverFormat),
        ...(options.givesWay && { [givesWayVariable]: "1" }),
      },
    });
    this.#idle = options.idle && this.#child.pid !== undefined ? new IdleProcess(this.#child.pid) : null;
    for (const stage of [this.#ready, this.#serving]) stage.promise.catch(() => undefined);
    this.#child.on("message", (message: ToPredecessor) => this.#hear(message));
    this.#child.once("error", (error) => this.#fail(`${program} cannot be started: ${error.message}`));
    this.#child.once("exit", (code, signal) => {
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
      this.#fail(`it ended ${how}; what it wrote before says why`);
      this.#idle?.end().catch(() => undefined);
      this.#gone.resolve({ how, inOrder: code === 0 });
    });
    this.send({ do: "take-over", format: handOverFormat, ...options.about, idle: this.#idle !== null });
  }

  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  /** Resolves when it is gone, with how it ended. */
  get gone(): Promise<{ readonly how: string; readonly inOrder: boolean }> {
    return this.#gone.promise;
  }

  /** Everything but listening is done. Rejects with node.handover_failed where it cannot, or `msMax` passed. */
  ready(msMax: number): Promise<void> {
    return this.#within(this.#ready.promise, msMax, "was not ready to serve");
  }

  /** It takes requests. Rejects as `ready` does. */
  serving(): Promise<void> {
    return this.#within(this.#serving.promise, servingMsMax, "was ready, but did not serve");
  }

  /** Dropped where the process is gone, which `ready` and `serving` tell. */
  send(message: ToSuccessor): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /** Ends a process that must not take over any more; resolves when it is gone. */
  async kill(): Promise<void> {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      // The group: workers too, and whatever the command put between itself and the node.
      process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#gone.promise;
  }

  async #within(stage: Promise<void>, msMax: number, what: string): Promise<void> {
    const over = new AbortController();
    const late = delay(msMax, "late" as const, { signal: over.signal }).catch(() => "early" as const);
    const outcome = await Promise.race([stage, late]).finally(() => over.abort());
    if (outcome === "late")
      throw failure(`it ${what} within ${msMax / 1000} s ([perennial] handover_deadline_seconds)`);
  }

  #hear(message: ToPredecessor): void {
    switch (message.did) {
      case "ready":
        // Whoever serves is not kept waiting by anybody.
        Promise.resolve(this.#idle?.end()).then(this.#ready.resolve, (error) => this.#fail(errorText(error)));
        break;
      case "serving":
        this.#serving.resolve();
        break;
      case "fail":
        this.#fail(message.message);
        break;
      case "cut":
        this.#options.onCut();
        break;
    }
  }

  #fail(why: string): void {
    const error = failure(why);
    this.#ready.reject(error);
    this.#serving.reject(error);
  }
}

function failure(why: string): ServiceError {
  return new ServiceError("node.handover_failed", `the new process does not take over: ${why}`);
}
