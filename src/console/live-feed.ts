// Hands the newest state on to every page that is open: the whole of it once, then what has changed, at most four times a second. A page
// that was away for a moment gets what it missed; one that was away for long, or comes from a server before this one, gets the whole.
import { randomUUID } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { differenceOf, type LivePatch, type LiveState } from "./live-state.ts";

export const everyMsMin = 250;
/** A minute at full speed. */
const patchesKept = 240;

export type FeedMessage =
  | { readonly id: string; readonly event: "whole"; readonly data: LiveState }
  | { readonly id: string; readonly event: "patch"; readonly data: LivePatch };
export type Reader = (message: FeedMessage) => void;

export class LiveFeed {
  readonly #clock: Clock;
  /** Ids of another server's feed say nothing here. */
  readonly #epoch = randomUUID().slice(0, 8);
  readonly #readers = new Set<Reader>();
  readonly #stop = new AbortController();
  #state: LiveState;
  #revision = 0;
  #patches: { readonly revision: number; readonly patch: LivePatch }[] = [];
  #waiting: LiveState | null = null;
  #sentMs = Number.NEGATIVE_INFINITY;

  constructor(first: LiveState, clock: Clock) {
    this.#state = first;
    this.#clock = clock;
  }

  /** The newest that was published. */
  get state(): LiveState {
    return this.#waiting ?? this.#state;
  }

  get readers(): number {
    return this.#readers.size;
  }

  publish(next: LiveState): void {
    const sleeping = this.#waiting !== null;
    this.#waiting = next;
    if (sleeping) return;
    const waitMs = this.#sentMs + everyMsMin - this.#clock.monotonicMs();
    if (waitMs <= 0) this.#send();
    // Only a feed that was closed rejects here, and nobody reads that one.
    else
      void this.#clock.sleep(waitMs, this.#stop.signal).then(
        () => this.#send(),
        () => undefined,
      );
  }

  /** Tells `reader` at once what it does not know yet; `lastId` is that of the last message it had. Returns how to leave. */
  subscribe(reader: Reader, lastId?: string): () => void {
    for (const message of this.#missedBy(lastId)) reader(message);
    this.#readers.add(reader);
    return () => void this.#readers.delete(reader);
  }

  close(): void {
    this.#stop.abort();
    this.#readers.clear();
  }

  #send(): void {
    const next = this.#waiting;
    this.#waiting = null;
    if (!next) return;
    const difference = differenceOf(this.#state, next);
    this.#state = next;
    if (difference === null) return;
    this.#sentMs = this.#clock.monotonicMs();
    this.#revision += 1;
    const revision = this.#revision;
    if (difference === "whole") this.#patches = [];
    else this.#patches = [...this.#patches.slice(1 - patchesKept), { revision, patch: difference }];
    const message = difference === "whole" ? this.#whole() : this.#patch(revision, difference);
    for (const reader of this.#readers) reader(message);
  }

  #missedBy(lastId: string | undefined): readonly FeedMessage[] {
    const [, epoch, number] = /^([0-9a-f]{8})-(\d+)$/.exec(lastId ?? "") ?? [];
    const known = epoch === this.#epoch ? Number(number) : Number.NaN;
    const first = this.#patches[0]?.revision ?? this.#revision + 1;
    // Right before the first patch that is kept is early enough.
    if (!(known >= first - 1 && known <= this.#revision)) return [this.#whole()];
    return this.#patches.filter(({ revision }) => revision > known).map((one) => this.#patch(one.revision, one.patch));
  }

  #whole(): FeedMessage {
    return { id: `${this.#epoch}-${this.#revision}`, event: "whole", data: this.#state };
  }

  #patch(revision: number, data: LivePatch): FeedMessage {
    return { id: `${this.#epoch}-${revision}`, event: "patch", data };
  }
}
