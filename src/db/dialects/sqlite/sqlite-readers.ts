// The reading threads of one process: the least busy one answers, and another is started while all are busy.
import { errorText } from "../../../core/errors.ts";
import type { Logger } from "../../../core/logger.ts";
import type { ThreadSettings } from "./sqlite-protocol.ts";
import { SqliteThread } from "./sqlite-thread.ts";

export class SqliteReaders {
  readonly #settings: ThreadSettings;
  readonly #threadsMax: number;
  readonly #logger: Logger | undefined;
  #threads: SqliteThread[] = [];
  #opening: Promise<SqliteThread> | null = null;
  #closed = false;

  constructor(settings: ThreadSettings, threadsMax: number, logger: Logger | undefined) {
    this.#settings = settings;
    this.#threadsMax = threadsMax;
    this.#logger = logger;
  }

  /** Throws what opening the file throws, where no thread is there to answer. */
  async pick(): Promise<SqliteThread> {
    let best: SqliteThread | undefined;
    for (const thread of this.#threads) if (!thread.ended && (!best || thread.load < best.load)) best = thread;
    if (!best) return await this.#open();
    if (best.load > 0 && this.#threads.length < this.#threadsMax)
      this.#open().catch((error) => this.#logger?.warn(`no further reading thread: ${errorText(error)}`));
    return best;
  }

  async close(): Promise<void> {
    this.#closed = true;
    // A thread that is just opening closes itself; see below.
    await this.#opening?.catch(() => undefined);
    await Promise.all(this.#threads.splice(0).map((thread) => thread.close()));
  }

  #open(): Promise<SqliteThread> {
    this.#opening ??= SqliteThread.open(this.#settings)
      .then(async (thread) => {
        this.#threads = this.#threads.filter((other) => !other.ended);
        this.#threads.push(thread);
        if (this.#closed) await thread.close();
        return thread;
      })
      .finally(() => {
        this.#opening = null;
      });
    return this.#opening;
  }
}
