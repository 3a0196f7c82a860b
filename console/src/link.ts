// The page's link to its server: what it was told, and whether that may be taken for what is so now. A link that is silent for too long
// is lost, whatever the browser thinks of it: after an hour of sleep it may still call it open, and have an hour of messages to hand over.
import type { LivePatch, LiveState } from "../../src/console/live-state.ts";
import { applyPatch } from "../../src/console/live-state.ts";

export type LinkState = "connecting" | "live" | "lost";
export type Told = { readonly link: LinkState; readonly live: LiveState | null };

/** The server gives a sign of life every two seconds. */
const silentMsMax = 6_000;
const againMs = 1_500;

export class Link {
  #told: Told = { link: "connecting", live: null };
  readonly #listeners = new Set<() => void>();
  #source: EventSource | null = null;
  #lastId = "";
  #heard = clocksNow();

  constructor() {
    this.#open();
    setInterval(() => this.#watch(), againMs);
    document.addEventListener("visibilitychange", () => this.#watch());
  }

  get told(): Told {
    return this.#told;
  }

  /** Returns how to stop listening. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #open(): void {
    this.#source?.close();
    this.#heard = clocksNow();
    const source = new EventSource(`/api/events${this.#lastId === "" ? "" : `?after=${this.#lastId}`}`);
    this.#source = source;
    source.addEventListener("whole", (event) => this.#hear(event, () => JSON.parse(event.data) as LiveState));
    source.addEventListener("patch", (event) => {
      const { live } = this.#told;
      if (live) this.#hear(event, () => applyPatch(live, JSON.parse(event.data) as LivePatch));
    });
    source.addEventListener("beat", () => {
      if (this.#watch()) return;
      this.#heard = clocksNow();
      // Nothing has changed since: what was told is so now.
      if (this.#told.live) this.#tell({ ...this.#told, link: "live" });
    });
    source.addEventListener("error", () => this.#lose());
  }

  #hear(event: MessageEvent, read: () => LiveState): void {
    // What comes first after a long sleep was sent when that began.
    if (this.#watch()) return;
    this.#heard = clocksNow();
    this.#lastId = event.lastEventId;
    this.#tell({ link: "live", live: read() });
  }

  /** True where the link was silent for too long: it is another one from now on. */
  #watch(): boolean {
    if (silentMs(this.#heard) <= silentMsMax) return false;
    this.#lose();
    this.#open();
    return true;
  }

  #lose(): void {
    if (this.#told.link !== "lost") this.#tell({ ...this.#told, link: "lost" });
    // A browser gives up on what was no event stream, as the answer of a proxy whose server is away; #watch asks again.
  }

  #tell(told: Told): void {
    if (told.link === this.#told.link && told.live === this.#told.live) return;
    this.#told = told;
    for (const listener of this.#listeners) listener();
  }
}

type Clocks = { readonly steadyMs: number; readonly dayMs: number };

function clocksNow(): Clocks {
  return { steadyMs: performance.now(), dayMs: Date.now() };
}

/** A steady clock stands still while the machine sleeps, on most systems; the clock of the day may be set, which costs a new link only. */
function silentMs(heard: Clocks): number {
  const now = clocksNow();
  return Math.max(now.steadyMs - heard.steadyMs, Math.abs(now.dayMs - heard.dayMs));
}
