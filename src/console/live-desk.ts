// Gathers what is known of a rollout under way, from whoever looks at it, into the state that open pages are told.
import type { Clock } from "../core/clock.ts";
import type { Fleet } from "../rollout/fleet.ts";
import type { JournalEvent } from "../rollout/journal-event.ts";
import { stateOf } from "../rollout/rollout-history.ts";
import type { FleetSample, NodeSample } from "../rollout/samples/sample.ts";
import type { NodeView, Snapshot } from "../rollout/snapshot.ts";
import { LiveFeed } from "./live-feed.ts";
import type { LiveHead, LiveState } from "./live-state.ts";

export type DeskOptions = {
  readonly fleet: Pick<Fleet, "name" | "target" | "nodes">;
  /** Orders are taken. */
  readonly control: boolean;
  readonly clock: Clock;
};
type Told = Pick<LiveHead, "holder" | "migrate">;

/** So that pages know how late it is, whatever else there is to tell. */
const tickMs = 1_000;

export class LiveDesk {
  readonly feed: LiveFeed;
  readonly #options: DeskOptions;
  readonly #tick: NodeJS.Timeout;
  #head: LiveHead;
  #nodes: readonly NodeSample[];
  #entries: readonly JournalEvent[] = [];
  #journalNotes: readonly string[] = [];
  #ownNotes: readonly string[] = [];
  #samples: readonly FleetSample[] = [];

  constructor(options: DeskOptions) {
    this.#options = options;
    const { fleet, control, clock } = options;
    this.#head = {
      fleet: fleet.name,
      target: fleet.target,
      rollout: null,
      state: "none",
      holder: null,
      notes: [],
      atMs: clock.nowMs(),
      seenMs: null,
      problem: null,
      due: null,
      request: null,
      canary: null,
      contractPending: false,
      migrate: null,
      control,
    };
    this.#nodes = fleet.nodes.map(({ name }) => unseenNode(name));
    this.feed = new LiveFeed(this.#state(), clock);
    this.#tick = setInterval(() => {
      if (clock.nowMs() - this.#head.atMs >= tickMs) this.publish();
    }, tickMs);
    this.#tick.unref();
  }

  get head(): LiveHead {
    return this.#head;
  }

  get entries(): readonly JournalEvent[] {
    return this.#entries;
  }

  /** Another rollout is looked at from now on, or the same one anew. `notes`: what is wrong with its journal. */
  open(rollout: string, entries: readonly JournalEvent[], notes: readonly string[] = []): void {
    if (this.#head.rollout !== rollout) {
      this.#samples = [];
      this.#ownNotes = [];
    }
    this.#entries = [...entries];
    this.#journalNotes = notes;
    this.#set({ rollout });
  }

  /** What the journal has gained. `notes`: all that is wrong with it now. */
  add(entries: readonly JournalEvent[], notes: readonly string[] = this.#journalNotes): void {
    if (entries.length === 0 && notes.join() === this.#journalNotes.join()) return;
    if (entries.length > 0) this.#entries = [...this.#entries, ...entries];
    this.#journalNotes = notes;
    this.publish();
  }

  addSamples(samples: readonly FleetSample[]): void {
    if (samples.length === 0) return;
    this.#samples = [...this.#samples, ...samples];
    this.publish();
  }

  look(seen: Omit<Snapshot, "memory">): void {
    const { target } = this.#options.fleet;
    this.#nodes = seen.nodes.map(toSample);
    const { due, request, canary } = seen;
    const contractPending = due === "contract" && seen.nodes.every((node) => node.release === target);
    const seenMs = this.#options.clock.nowMs();
    this.#set({ seenMs, problem: null, due, request, canary, contractPending });
  }

  /** The fleet cannot be seen; what was seen last stays, with its time. */
  blind(problem: string): void {
    this.#set({ problem });
  }

  tell(told: Partial<Told>): void {
    this.#set(told);
  }

  /** What became of something that was ordered; it stands until another rollout is looked at. */
  note(text: string): void {
    this.#ownNotes = [...this.#ownNotes.filter((note) => note !== text), text];
    this.publish();
  }

  publish(): void {
    this.feed.publish(this.#state());
  }

  close(): void {
    clearInterval(this.#tick);
    this.feed.close();
  }

  #set(change: Partial<LiveHead>): void {
    this.#head = { ...this.#head, ...change };
    this.publish();
  }

  #state(): LiveState {
    const { rollout, holder } = this.#head;
    const state = rollout === null || this.#entries.length === 0 ? "none" : stateOf(this.#entries, holder !== null);
    const notes = [...this.#journalNotes, ...this.#ownNotes];
    const head: LiveHead = { ...this.#head, state, notes, atMs: this.#options.clock.nowMs() };
    this.#head = head;
    return { head, nodes: this.#nodes, entries: this.#entries, samples: this.#samples };
  }
}

function toSample(node: NodeView): NodeSample {
  const { name, release, process, healthy, rotation, transfers } = node;
  // Fractions of it would be told again and again.
  const heartbeatAgeSeconds = node.heartbeatAgeSeconds === null ? null : Math.round(node.heartbeatAgeSeconds);
  const { state, up, sessions } = rotation;
  return { name, release, process, healthy, rotation: state, up, requests: sessions, transfers, heartbeatAgeSeconds };
}

function unseenNode(name: string): NodeSample {
  const unknown = { release: null, process: null, healthy: null, rotation: null, up: null };
  return { name, ...unknown, requests: null, transfers: null, heartbeatAgeSeconds: null };
}
