// The view of a rollout that goes on, kept up with what is new instead of being made anew from a whole journal four times a second.
import type { LiveState } from "../../src/console/live-state.ts";
import type { RolloutView } from "../../src/console/model.ts";
import { Timeline } from "../../src/console/timeline.ts";

/** What the page can be scrolled through; a filter looks through as many. */
const entriesMax = 5_000;
/** Clocks of hosts that are kept in step differ by less. */
const aheadMsMax = 2_000;

export class LivePicture {
  #timeline: Timeline | null = null;
  #of: LiveState | null = null;
  #view: RolloutView | null = null;
  /** How much the clock of the host that writes the journal is ahead of the console's, as far as that has shown itself. */
  #aheadMs = 0;

  view(live: LiveState): RolloutView {
    if (this.#view && this.#of === live) return this.#view;
    const timeline = this.#timelineOf(live);
    const { seenMs, holder, atMs } = live.head;
    // What was written is so now, whatever time its writer thought it was: the moment that is shown is told by the writer's clock.
    const newestMs = Math.max(timeline.lastAtMs ?? 0, live.samples.at(-1)?.atMs ?? 0);
    this.#aheadMs = Math.max(this.#aheadMs, newestMs - atMs);
    if (seenMs !== null) timeline.look({ atMs: seenMs + this.#aheadMs, read: () => live.nodes });
    this.#of = live;
    const view = timeline.viewAt(atMs + this.#aheadMs, { held: holder !== null, entriesMax });
    // What is known to be wrong changes while the rollout goes on.
    this.#view = { ...view, notes: [...live.head.notes, ...this.#clockNotes(), ...view.notes] };
    return this.#view;
  }

  #clockNotes(): readonly string[] {
    if (this.#aheadMs <= aheadMsMax) return [];
    const seconds = Math.round(this.#aheadMs / 1000);
    return [
      `Clocks are apart: the host that runs the rollout is ${seconds} s ahead of the console's; times are the former's.`,
    ];
  }

  #timelineOf(live: LiveState): Timeline {
    const before = this.#of;
    const { head, entries, samples } = live;
    const isGrown =
      before !== null &&
      before.head.rollout === head.rollout &&
      startsWith(entries, before.entries) &&
      startsWith(samples, before.samples);
    if (isGrown && this.#timeline) {
      const more = {
        entries: entries.slice(before.entries.length),
        samples: fleetOnly(samples.slice(before.samples.length)),
      };
      this.#timeline.add(more);
      return this.#timeline;
    }
    this.#aheadMs = 0;
    this.#timeline = new Timeline({
      rolloutId: head.rollout ?? "",
      fleet: head.fleet,
      target: head.target,
      entries,
      samples: fleetOnly(samples),
      notes: [],
    });
    return this.#timeline;
  }
}

function fleetOnly(fleet: LiveState["samples"]) {
  return { fleet, nodes: [] };
}

/** What is new is added at the end, and what was there stays the same object. */
function startsWith<T>(now: readonly T[], before: readonly T[]): boolean {
  return now.length >= before.length && now[0] === before[0] && now[before.length - 1] === before.at(-1);
}
