// The process's side of the Ceph threads: a few of them, started as they are needed, that take orders from one queue.

import { getSystemErrorName } from "node:util";
import { Worker } from "node:worker_threads";
import { errorText } from "../../core/errors.ts";
import { ownModule } from "../../core/package-files.ts";
import type { CephOrders, ErrorName, Failure, OrderName, Reply, Request } from "./ceph-protocol.ts";

/** So many calls of Ceph are under way at once. */
const threadsMax = 6;
/** Of them, those that may be busy with what can take very long; the others go on with reads and writes. */
const slowMax = 2;
const slowOrders: ReadonlySet<OrderName> = new Set(["connect", "disconnect", "remove", "discard", "resize"]);

/** A call that Ceph refused, or a thread that has failed. */
export class CephFailure extends Error {
  readonly errno: number | undefined;

  constructor({ message, errno }: Failure) {
    super(message);
    this.errno = errno;
  }
}

/** Whether Ceph refused a call with one of these numbers of the system. */
export function refusedWith(error: unknown, ...names: readonly ErrorName[]): boolean {
  if (!(error instanceof CephFailure) || error.errno === undefined) return false;
  const refused = getSystemErrorName(-error.errno);
  return names.some((name) => name === refused);
}

type Order = {
  readonly request: Request;
  readonly moved: ArrayBuffer[];
  readonly resolve: (gives: unknown) => void;
  readonly reject: (error: unknown) => void;
};

/** Keeps the process alive only while it has an order. */
class Thread {
  readonly #worker = new Worker(ownModule("stores/rbd/ceph-thread"));
  #order: Order | null = null;

  constructor(events: { idle(): void; ended(thread: Thread): void }) {
    this.#worker.unref();
    this.#worker.on("message", (reply: Reply) => {
      const order = this.#order;
      this.#order = null;
      this.#worker.unref();
      if ("failure" in reply) order?.reject(new CephFailure(reply.failure));
      else order?.resolve(reply.gives);
      events.idle();
    });
    const end = (message: string) => {
      this.#order?.reject(new CephFailure({ message }));
      this.#order = null;
      events.ended(this);
    };
    this.#worker.on("error", (error) => end(`a thread for Ceph failed: ${errorText(error)}`));
    this.#worker.on("exit", () => end("a thread for Ceph has ended"));
  }

  get order(): Order | null {
    return this.#order;
  }

  begin(order: Order): void {
    this.#order = order;
    this.#worker.ref();
    this.#worker.postMessage(order.request, order.moved);
  }

  /** By itself, when it has carried out what it was ordered: a thread that is cut off in the midst of native code can take the process with it. */
  async end(): Promise<void> {
    const { promise: exited, resolve } = Promise.withResolvers<unknown>();
    this.#worker.once("exit", resolve);
    this.#worker.ref();
    this.#worker.postMessage(null);
    await exited;
  }
}

export class CephThreads {
  readonly #threads = new Set<Thread>();
  readonly #waiting: Order[] = [];

  /** `moved`: the buffer of `given.data`, which is not needed here any more. Throws CephFailure. */
  async order<Name extends OrderName>(
    name: Name,
    given: CephOrders[Name]["given"],
    moved?: ArrayBuffer,
  ): Promise<CephOrders[Name]["gives"]> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.push({ request: { name, given }, moved: moved ? [moved] : [], resolve, reject });
    this.#beginWaiting();
    return (await promise) as CephOrders[Name]["gives"];
  }

  /** For when nothing is under way: ends the threads. Safe to call twice. */
  async close(): Promise<void> {
    const threads = [...this.#threads];
    this.#threads.clear();
    await Promise.all(threads.map((thread) => thread.end()));
  }

  #beginWaiting(): void {
    for (;;) {
      const busy = [...this.#threads].flatMap(({ order }) => order ?? []);
      const isSlow = ({ request }: Order) => slowOrders.has(request.name);
      const slowFull = busy.filter(isSlow).length >= slowMax;
      const at = busy.length < threadsMax ? this.#waiting.findIndex((order) => !(slowFull && isSlow(order))) : -1;
      const [order] = at < 0 ? [] : this.#waiting.splice(at, 1);
      if (!order) return;
      const thread = [...this.#threads].find((one) => one.order === null) ?? this.#start();
      thread.begin(order);
    }
  }

  #start(): Thread {
    const thread = new Thread({
      idle: () => this.#beginWaiting(),
      ended: (ended) => {
        this.#threads.delete(ended);
        this.#beginWaiting();
      },
    });
    this.#threads.add(thread);
    return thread;
  }
}
