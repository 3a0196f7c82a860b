// One worker as its supervisor sees it: a child process that inherits the listening socket, and what it has reported.
import { type ChildProcess, fork } from "node:child_process";
import { getHeapStatistics } from "node:v8";
import { ServiceError } from "../core/errors.ts";
import type { FromWorker, StartMessage, ToWorker, WorkerMetrics, WorkerReport } from "./worker-protocol.ts";

/** It ended before it was ready and said nothing: killed from outside, out of memory, or a mistake in the program. */
export class WorkerCrash extends Error {
  override readonly name = "WorkerCrash";
}

/** Heaps of the C library, which threads fill by turns and which shrink each on its own: with two, a worker that moves images has 15 MB less resident. */
const mallocArenas = "2";

/**
 * The heap of V8, which by default has room for four times what is needed before it is cleared, and 100 MB for what was just made: a worker that
 * had created some thousand images had 100 MB of nothing resident. A small machine's own limit stays.
 *
 * By itself V8 lets the small heap of a worker that has a few requests a second grow by a tenth, and clears it every other second, on threads that take the
 * processor from requests. It grows by 60 percent here, and nothing is cleared before 48 MB. Where much is made at once V8 would let it grow by more, and it
 * is cleared more often then; 30,000 requests at full speed took no more of a processor.
 */
const heapMbMax = Math.min(2_000, Math.floor(getHeapStatistics().heap_size_limit / 1_048_576));
const youngOptions: readonly string[] = ["--max-semi-space-size=8"];
const oldOptions: readonly string[] = [
  `--max-old-space-size=${heapMbMax}`,
  "--heap-growing-percent=60",
  "--initial-old-space-size=48",
];

/** How the runtime of a worker is started: as this process was, its heap as above where the operator says nothing of it (NODE_OPTIONS). */
export function runtimeOptions(execArgv: readonly string[], nodeOptions = ""): readonly string[] {
  const said = nodeOptions.replaceAll("_", "-");
  if (said.includes("--max-heap-size")) return execArgv;
  // Of two that say the same the last one counts.
  return [
    ...(said.includes("--max-semi-space-size") ? [] : youngOptions),
    ...(said.includes("--max-old-space-size") ? [] : oldOptions),
    ...execArgv,
  ];
}

/** How long the supervisor waits for one answer of a busy worker. */
const answerMsMax = 2_000;

export class WorkerProcess {
  /** As `ready`, of all that comes before listening. */
  readonly built: Promise<void>;
  /** Rejects with a ServiceError where the worker named what is wrong, else with a WorkerCrash. */
  readonly ready: Promise<void>;
  /** Its listener is closed, or the process is gone. */
  readonly listenerClosed: Promise<void>;
  /** How it ended, in words. */
  readonly exited: Promise<string>;
  isReady = false;
  readonly #child: ChildProcess;
  readonly #heard = new Set<(message: FromWorker) => void>();
  #lastId = 0;

  constructor(options: { module: string; socketFd: number; start: StartMessage; wantMetrics: (id: number) => void }) {
    // The descriptor lands at workerSocketFd.
    this.#child = fork(options.module, [], {
      execArgv: [...runtimeOptions(process.execArgv, process.env.NODE_OPTIONS)],
      stdio: ["ignore", "inherit", "inherit", options.socketFd, "ipc"],
      env: { MALLOC_ARENA_MAX: mallocArenas, ...process.env },
    });
    this.#child.on("message", (message: FromWorker) => {
      if (message.did === "want-metrics") options.wantMetrics(message.id);
      for (const hear of this.#heard) hear(message);
    });
    this.exited = new Promise((resolve) => {
      this.#child.once("error", (error) => resolve(`could not be started: ${error.message}`));
      this.#child.once("exit", (code, signal) => resolve(signal ? `ended by ${signal}` : `exit code ${code}`));
    });
    const [built, ready] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const fail = (error: Error) => {
      built.reject(error);
      ready.reject(error);
    };
    this.#heard.add((message) => {
      if (message.did === "built" || message.did === "ready") built.resolve();
      if (message.did === "ready") {
        this.isReady = true;
        ready.resolve();
      }
      if (message.did !== "fail") return;
      fail(message.code ? new ServiceError(message.code, message.message) : new WorkerCrash(message.message));
    });
    this.exited.then((how) => fail(new WorkerCrash(`the worker did not become ready: ${how}`)));
    [this.built, this.ready] = [built.promise, ready.promise];
    // Whoever does not wait for them learns of a failure by `exited`.
    for (const stage of [this.built, this.ready]) stage.catch(() => undefined);
    this.listenerClosed = new Promise((resolve) => {
      this.#heard.add((message) => message.did === "close" && resolve());
      this.exited.then(() => resolve());
    });
    this.send(options.start);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Dropped where the process is gone, which `exited` tells. */
  send(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** null where it does not answer in time. */
  report(): Promise<WorkerReport | null> {
    this.send({ do: "report" });
    return this.#answer((message) => (message.did === "report" ? message.report : null));
  }

  /** null where it does not answer in time. */
  collect(): Promise<WorkerMetrics | null> {
    const id = ++this.#lastId;
    this.send({ do: "collect", id });
    return this.#answer((message) => (message.did === "collect" && message.id === id ? message.metrics : null));
  }

  #answer<T>(pick: (message: FromWorker) => T | null): Promise<T | null> {
    return new Promise((resolve) => {
      const done = (answer: T | null) => {
        clearTimeout(timer);
        this.#heard.delete(hear);
        resolve(answer);
      };
      const hear = (message: FromWorker) => {
        const answer = pick(message);
        if (answer !== null) done(answer);
      };
      const timer = setTimeout(() => done(null), answerMsMax);
      this.#heard.add(hear);
      this.exited.then(() => done(null));
    });
  }
}
