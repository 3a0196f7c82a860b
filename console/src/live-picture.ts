// The view of a rollout that goes on, kept up with what is new instead of being made anew from a whole journal four times a second.
import type { LiveState } from "../../src/console/live-state.ts";
import type { RolloutView } from "../../src/console/model.ts";
import { Timeline } from "../../src/console/timeline.ts";

/** What the page can be scrolled through; a filter looks through as many. */
const entriesMax = 5_000;

export class LivePicture {
  #timeline: Timeline | null = null;
  #of: LiveState | null = null;
  #view: RolloutView | null = null;

  view(live: LiveState): RolloutView {
    if (this.#view && this.#of === live) return this.#view;
    const timeline = this.#timelineOf(live);
    const { seenMs, holder, atMs } = live.head;
    if (seenMs !== null) timeline.look({ atMs: seenMs, read: () => live.nodes });
    this.#of = live;
    this.#view = timeline.viewAt(atMs, { held: holder !== null, entriesMax });
    return this.#view;
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
    this.#timeline = new Timeline({
      rolloutId: head.rollout ?? "",
      fleet: head.fleet,
      target: head.target,
      entries,
      samples: fleetOnly(samples),
      notes: head.notes,
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
