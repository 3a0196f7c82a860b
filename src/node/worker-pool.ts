// The workers of one configuration: starts them, replaces those that die, and leads them out together. A reload makes a new
// pool and retires the old one. The supervisor holds the socket, so connections wait while a worker is replaced.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { errorText, isServiceError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { WorkerCrash, WorkerProcess } from "./worker-process.ts";
import type { StartMessage, ToWorker, WorkerMetrics, WorkerReport } from "./worker-protocol.ts";

export type WorkerPoolOptions = {
  /** Path of the module a worker runs. */
  readonly module: string;
  readonly count: number;
  readonly socketFd: number;
  /** Workers wait for `listen` before they take connections. */
  readonly held?: boolean;
  /** Asked at each start, so that a replacement knows how the node stands by then. */
  readonly start: () => Omit<StartMessage, "listen">;
  readonly wantMetrics: (answer: (contentType: string, body: string) => void) => void;
  readonly logger: Logger;
};

/** A worker that dies this often in a row before it was ever ready will not become so. */
const firstStartsMax = 3;
const backoffMsMin = 100;
const backoffMsMax = 10_000;
/** A worker that served this long had no fault from its start. */
const provenMs = 10_000;

export class WorkerPool {
  /** How many workers were replaced since the start. */
  replaced = 0;
  readonly #options: WorkerPoolOptions;
  readonly #workers = new Set<WorkerProcess>();
  #leaving = false;
  #held: boolean;
  #slots: Promise<void>[] = [];
  readonly #stop = new AbortController();

  constructor(options: WorkerPoolOptions) {
    assert(options.count >= 1, "somebody has to serve");
    this.#options = options;
    this.#held = options.held ?? false;
  }

  get size(): number {
    return this.#workers.size;
  }

  /** Resolves when all workers listen, or could where they are held. Throws what the first one to fail says, and ends the others. */
  async start(): Promise<void> {
    const starts = Array.from({ length: this.#options.count }, () => Promise.withResolvers<void>());
    this.#slots = starts.map(async (started) => {
      await this.#keepOne(started);
      // Without effect where it was ready before.
      started.reject(new WorkerCrash("the node is leaving"));
    });
    try {
      await Promise.all(starts.map((started) => started.promise));
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** Lets held workers listen; resolves when they do. Throws what the first one to fail says. */
  async listen(): Promise<void> {
    this.#held = false;
    this.tell({ do: "listen" });
    await Promise.all([...this.#workers].map((worker) => worker.ready));
  }

  tell(message: ToWorker): void {
    for (const worker of this.#workers) worker.send(message);
  }

  /**
   * `close` lets them finish, `retire` as well while others stay, `hand-over` while those of another process do, `cut` makes them give
   * up. Resolves when none of them listens.
   */
  async leave(how: "close" | "retire" | "hand-over" | "cut"): Promise<void> {
    this.#leaving = true;
    this.#stop.abort();
    this.tell({ do: how });
    await Promise.all([...this.#workers].map((worker) => worker.listenerClosed));
  }

  /** Resolves when no worker is left; only after `leave` or `kill`. */
  async ended(): Promise<void> {
    await Promise.all(this.#slots);
  }

  async kill(): Promise<void> {
    this.#leaving = true;
    this.#stop.abort();
    for (const worker of this.#workers) worker.kill();
    await this.ended();
  }

  /** null for a worker that does not answer in time. */
  async reports(): Promise<readonly (WorkerReport | null)[]> {
    return Promise.all(this.#ready().map((worker) => worker.report()));
  }

  async metrics(): Promise<readonly WorkerMetrics[]> {
    return present(await Promise.all(this.#ready().map((worker) => worker.collect())));
  }

  #ready(): readonly WorkerProcess[] {
    return [...this.#workers].filter((worker) => worker.isReady);
  }

  /** Keeps one worker running until the pool leaves. */
  async #keepOne(started: PromiseWithResolvers<void>): Promise<void> {
    let failures = 0;
    let everReady = false;
    while (!this.#leaving) {
      const bornMs = performance.now();
      const worker = this.#spawn();
      try {
        await (this.#held ? worker.built : worker.ready);
        everReady = true;
        started.resolve();
      } catch (error) {
        // Before the node serves, what a worker names as wrong (configuration, port) is wrong with the node.
        if (!everReady && isServiceError(error)) started.reject(error);
        if (!this.#leaving)
          this.#options.logger.error({ worker: worker.pid, error: errorText(error) }, "worker failed to start");
      }
      const how = await worker.exited;
      this.#workers.delete(worker);
      if (this.#leaving) return;
      failures = performance.now() - bornMs > provenMs ? 1 : failures + 1;
      if (!everReady && failures >= firstStartsMax) {
        const message = `a worker ended ${failures} times before it was ready (${how}); what it wrote before says why`;
        started.reject(new WorkerCrash(message));
        return;
      }
      this.replaced++;
      this.#options.logger.error({ worker: worker.pid }, `worker is gone (${how}); replacing it`);
      // The first replacement comes at once; one that keeps dying must not eat the machine.
      const pauseMs = failures === 1 ? 0 : Math.min(backoffMsMax, backoffMsMin * 2 ** (failures - 2));
      await delay(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  #spawn(): WorkerProcess {
    const { module, socketFd, start, wantMetrics } = this.#options;
    const worker: WorkerProcess = new WorkerProcess({
      module,
      socketFd,
      start: { ...start(), listen: !this.#held },
      wantMetrics: (id) => wantMetrics((contentType, body) => worker.send({ do: "metrics", id, contentType, body })),
    });
    this.#workers.add(worker);
    return worker;
  }
}

function present<T>(values: readonly (T | null)[]): readonly T[] {
  return values.filter((value) => value !== null);
}
