// The journal's copy in the database: what makes a rollout go on from any host. It may be away for a while; entries then wait, and are
// written later, in their order.
import type { Clock } from "../core/clock.ts";
import { type ErrorCode, isServiceError } from "../core/errors.ts";
import type { StoredEntry, StoredRollout } from "../db/repositories/rollout-journal-repository.ts";
import { withDeadline } from "./deadline.ts";
import type { ChainedLine } from "./journal-chain.ts";

export interface JournalStore {
  list(): Promise<readonly StoredRollout[]>;
  /** Those after entry `after`, or all. */
  read(rolloutId: string, after?: number): Promise<readonly StoredEntry[]>;
  /** Adds entries in order; those that are there already are left. Throws rollout.lease_lost and rollout.journal_broken. */
  add(rolloutId: string, entries: readonly ChainedLine[]): Promise<void>;
}

const addMsMax = 3_000;
/** A rollout that waits for its database would otherwise spend its time waiting for the journal. */
const awayMs = 3_000;
/** In one transaction. */
const entriesMax = 100;

/** Writes what waits; the one writer of a rollout. */
export class JournalMirror {
  readonly #store: JournalStore;
  readonly #rolloutId: string;
  #waiting: ChainedLine[];
  readonly #clock: Clock;
  #awayUntilMs = Number.NEGATIVE_INFINITY;

  constructor(store: JournalStore, rolloutId: string, waiting: readonly ChainedLine[], clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#rolloutId = rolloutId;
    this.#waiting = [...waiting];
  }

  /** How many entries the database does not have yet. */
  get behind(): number {
    return this.#waiting.length;
  }

  /** Throws rollout.lease_lost and rollout.journal_broken; a database that is away is no failure. */
  async add(line: ChainedLine): Promise<void> {
    this.#waiting.push(line);
    if (this.#clock.monotonicMs() >= this.#awayUntilMs) await this.flush();
  }

  /** The same for what waits from before. */
  async flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const some = this.#waiting.slice(0, entriesMax);
      const { signal } = new AbortController();
      try {
        const add = () => this.#store.add(this.#rolloutId, some);
        await withDeadline("the journal in the database", addMsMax, signal, add, "rollout.driver_failed", this.#clock);
      } catch (error) {
        if (!isServiceError(error) || !isAway(error.code)) throw error;
        this.#awayUntilMs = this.#clock.monotonicMs() + awayMs;
        return;
      }
      this.#waiting = this.#waiting.slice(some.length);
    }
  }
}

/** What is worth another try later; anything else is somebody else's word against ours. */
function isAway(code: ErrorCode): boolean {
  return code !== "rollout.lease_lost" && code !== "rollout.journal_broken";
}
