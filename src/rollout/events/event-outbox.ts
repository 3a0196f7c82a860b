// Tells others of a rollout's journal: each entry in its order, at least once, without ever holding the rollout up. How far a destination
// has come is kept on disk, so that a run that was killed tells what it had not yet told when it is run again.
import { readFileSync } from "node:fs";
import type { Clock } from "../../core/clock.ts";
import { errorText, isServiceError } from "../../core/errors.ts";
import type { JournalEvent } from "../journal-event.ts";
import { replaceFile } from "../replace-file.ts";

export type EventKinds = readonly JournalEvent["kind"][];
export type Destination = {
  /** For people, without secrets. */
  readonly name: string;
  readonly kinds: EventKinds;
  /** Throws rollout.driver_failed where it was not taken. */
  send(event: JournalEvent, signal: AbortSignal): Promise<void>;
};

export type OutboxOptions = {
  readonly destination: Destination;
  /** Where is kept which entry was told last. */
  readonly cursorFile: string;
  /** The journal: entries are only ever added. */
  readonly events: readonly JournalEvent[];
  readonly clock: Clock;
  /** Told once for each time that it gets stuck. */
  readonly onTrouble: (text: string) => void;
};

const retryMsFirst = 1_000;
const retryMsMax = 30_000;

export class EventOutbox {
  readonly #options: OutboxOptions;
  readonly #stop = new AbortController();
  #next: number;
  #working: Promise<void> | null = null;
  #failures = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    // Where nothing is kept what other hosts' runs did is not told again.
    this.#next = readCursor(options.cursorFile) ?? options.events.length;
    this.poke();
  }

  /** There may be something new. */
  poke(): void {
    this.#working ??= this.#work().finally(() => {
      this.#working = null;
      if (!this.#stop.signal.aborted && this.#next < this.#options.events.length) this.poke();
    });
  }

  /** Waits for what is left, for at most `msMax`; the rest is told by the next run of this rollout. Safe to call twice. */
  async close(msMax: number): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(new Error("the rollout ends")), msMax);
    while (this.#working) await this.#working;
    clearTimeout(timer);
    this.#stop.abort(new Error("the rollout ends"));
  }

  async #work(): Promise<void> {
    const { destination, events, cursorFile, clock, onTrouble } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const event = events[this.#next];
      if (!event) return;
      try {
        if (destination.kinds.includes(event.kind)) await destination.send(event, signal);
        await replaceFile(cursorFile, `${this.#next + 1}\n`);
        this.#next++;
        this.#failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (this.#failures++ === 0)
          onTrouble(`${destination.name} was not told of entry ${event.seq}: ${errorText(error)}`);
        const pauseMs = Math.min(retryMsMax, retryMsFirst * 2 ** (this.#failures - 1));
        // A full disk ends a rollout soon enough by its journal; nobody else is to be told the same for ever because of it.
        if (!isServiceError(error) && !(error instanceof Error && "code" in error)) throw error;
        await clock.sleep(pauseMs, signal).catch(() => undefined);
      }
    }
  }
}

function readCursor(file: string): number | undefined {
  try {
    const next = Number(readFileSync(file, "utf8"));
    return Number.isInteger(next) && next >= 0 ? next : undefined;
  } catch {
    // Not there, or not to be read: then it begins with what is new.
    return undefined;
  }
}
