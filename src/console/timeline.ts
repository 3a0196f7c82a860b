// A rollout from its first entry to its last, and the view of it at any moment in between: for the live page, for a replay with a slider,
// and for the report. Pure: entries and samples in, views out. Going forward costs what is new; going back starts at a kept copy.
import type { RolloutState } from "../rollout/rollout-history.ts";
import type { SampleSeries } from "../rollout/samples/sample.ts";
import { JournalFold } from "./journal-fold.ts";
import { JournalReader } from "./journal-line.ts";
import type { JournalLine, MigrationView, NowView, RolloutView, TrafficPoint } from "./model.ts";
import { known, NameOrder, nodeCards, type Sampled } from "./node-cards.ts";
import { TrafficTrack } from "./traffic.ts";
import { nowOf } from "./words.ts";

export type RolloutRecord = {
  readonly rolloutId: string;
  readonly fleet: string;
  readonly target: string;
  /** The journal's entries in their order, parsed but not trusted. */
  readonly entries: readonly unknown[];
  readonly samples: SampleSeries;
  /** What is known to be wrong with either, each a sentence. */
  readonly notes: readonly string[];
};

export type ViewOptions = {
  /** Somebody is at the rollout at this moment. Absent: entries follow. */
  readonly held?: boolean;
  /** So many of the newest entries are in the view; all when absent. */
  readonly entriesMax?: number;
};

/** A copy of what the journal tells is kept at every so many entries. */
const copyEvery = 2_000;

export class Timeline {
  readonly #record: Omit<RolloutRecord, "entries" | "samples">;
  readonly #reader: JournalReader;
  readonly #traffic = new TrafficTrack();
  readonly #nodes: SampleSeries["nodes"][number][] = [];
  #sampled: { readonly index: number; readonly sampled: Sampled } = { index: -1, sampled: null };
  readonly #order = new NameOrder();
  /** The same list for as long as nothing is added to it, so that charts know that they are drawn. */
  #points: readonly TrafficPoint[] = [];
  #copies: JournalFold[] = [];
  #fold: JournalFold;
  #applied = 0;
  /** The newest of `#nodes` is a look. */
  #looked = false;

  constructor({ entries, samples, ...record }: RolloutRecord) {
    this.#record = record;
    this.#reader = new JournalReader(stampMs(record.rolloutId));
    this.#fold = new JournalFold(record.target);
    this.add({ entries, samples });
  }

  /** What has come since, in its order. */
  add({ entries, samples }: Partial<Pick<RolloutRecord, "entries" | "samples">>): void {
    if (entries) this.#reader.add(entries);
    for (const sample of samples?.fleet ?? []) this.#traffic.add(sample);
    for (const sample of samples?.nodes ?? []) {
      const atMs = Math.max(sample.atMs, this.#nodes.at(-1)?.atMs ?? sample.atMs);
      this.#nodes.push({ ...sample, atMs });
    }
  }

  /** How the nodes are right now; a look later takes the place of this one, so that a page that is open for days holds one of them. */
  look(sample: SampleSeries["nodes"][number]): void {
    if (this.#looked) this.#nodes.pop();
    this.#looked = true;
    this.#sampled = { index: -1, sampled: null };
    this.add({ samples: { fleet: [], nodes: [sample] } });
  }

  get beganAtMs(): number | null {
    return this.#reader.lines[0]?.atMs ?? null;
  }

  get lastAtMs(): number | null {
    return this.#reader.lines.at(-1)?.atMs ?? null;
  }

  /** All entries that there are. */
  get lines(): readonly JournalLine[] {
    return this.#reader.lines;
  }

  viewAt(momentMs: number, options: ViewOptions = {}): RolloutView {
    const { lines } = this.#reader;
    const count = countUpTo(lines, momentMs);
    const fold = this.#foldTo(count);
    const last = lines[count - 1];
    // Nothing grows older once it is over.
    const atMs = fold.end && last ? Math.min(momentMs, last.atMs) : momentMs;
    const isHeld = options.held ?? count < lines.length;
    const state = count === 0 ? "not begun" : stateOf(fold, isHeld);
    const isOver = fold.end !== null;
    const entriesMax = options.entriesMax ?? count;
    // The nodes go on when the rollout is over, where somebody still looks at them.
    const nodesAtMs = this.#looked ? momentMs : atMs;
    const sampled = this.#sampledAt(nodesAtMs);
    return {
      rolloutId: this.#record.rolloutId,
      fleet: this.#record.fleet,
      target: this.#record.target,
      atMs,
      beganAtMs: count > 0 ? this.beganAtMs : null,
      lastEntryAtMs: last?.atMs ?? null,
      state,
      way: fold.way,
      phases: fold.phases.view(fold.way, atMs, { ended: isOver, whole: isOver && fold.end !== "aborted" }),
      nodes: nodeCards(fold.nodes, sampled, nodesAtMs, this.#record.target, this.#order),
      traffic: this.#trafficAt(atMs, fold, count === lines.length && !isHeld),
      migration: migrationOf(fold, atMs),
      gates: [...fold.gates],
      now: nowView(fold, state),
      journal: { entries: lines.slice(Math.max(0, count - entriesMax), count), total: count },
      notes: this.#notes(),
    };
  }

  /** `whole`: nobody writes more. A run takes its last sample after its last entry, so that no request is left out of the totals. */
  #trafficAt(atMs: number, fold: JournalFold, whole: boolean): RolloutView["traffic"] {
    const count = whole ? this.#traffic.points.length : countUpTo(this.#traffic.points, atMs);
    if (this.#points.length !== count) this.#points = this.#traffic.points.slice(0, count);
    const points = this.#points;
    const latest = points.at(-1);
    return {
      recorded: this.#traffic.recorded,
      points,
      totals: this.#traffic.totals(count),
      latest: latest ? known(latest, latest.atMs, atMs) : null,
      marks: [...fold.marks],
    };
  }

  #notes(): readonly string[] {
    const unrecorded =
      this.#traffic.recorded || this.#looked || this.lastAtMs === null
        ? []
        : ["Traffic and the figures of nodes were not recorded: what is shown of nodes is what the journal tells."];
    return [...this.#record.notes, ...this.#reader.notes(), ...unrecorded];
  }

  #sampledAt(atMs: number): Sampled {
    const index = countUpTo(this.#nodes, atMs) - 1;
    if (index !== this.#sampled.index) {
      const sample = this.#nodes[index];
      const sampled = sample
        ? { atMs: sample.atMs, byName: new Map(sample.read().map((node) => [node.name, node])) }
        : null;
      this.#sampled = { index, sampled };
    }
    return this.#sampled.sampled;
  }

  #foldTo(count: number): JournalFold {
    if (count < this.#applied) {
      const copy = this.#copies[Math.floor(count / copyEvery) - 1];
      this.#fold = copy?.clone() ?? new JournalFold(this.#record.target);
      this.#applied = copy ? Math.floor(count / copyEvery) * copyEvery : 0;
    }
    for (; this.#applied < count; ) {
      const line = this.#reader.lines[this.#applied];
      if (line) this.#fold.apply(line);
      this.#applied++;
      if (this.#applied === (this.#copies.length + 1) * copyEvery) this.#copies.push(this.#fold.clone());
    }
    return this.#fold;
  }
}

function stateOf(fold: JournalFold, held: boolean): RolloutState {
  if (fold.end) return fold.end;
  const step = fold.decision?.data.do;
  if (step === "wait" && fold.decision?.data.key === "request") return "paused";
  if (step === "reach") return "waiting";
  if (step === "pause") return "paused";
  return held && !fold.stopped ? "running" : "stopped";
}

function nowView(fold: JournalFold, state: RolloutView["state"]): NowView {
  const now = nowOf(fold.decision, fold.waitWord, fold.result);
  if (state !== "stopped") return now;
  const next = "Run it again: it looks at what is there and goes on.";
  return { doing: "Stopped: nobody is at it", why: now.doing, sinceMs: fold.lastAtMs, waits: true, next };
}

function migrationOf({ migration }: JournalFold, atMs: number): MigrationView | null {
  if (!migration) return null;
  const { progress, state } = migration;
  const isUnderWay = state === "running" || state === "paused";
  const figures = progress && known(progress, migration.atMs, isUnderWay ? atMs : migration.atMs);
  return { progress: figures, state };
}

/** How many of `sorted` are not after `atMs`. */
function countUpTo(sorted: readonly { readonly atMs: number }[], atMs: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.atMs ?? 0) <= atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** When a rollout of this name began; 0 where the name does not tell. */
function stampMs(rolloutId: string): number {
  const [, year, month, day, hour, minute, second] =
    /(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z(?:-\d+)?$/.exec(rolloutId) ?? [];
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(ms) ? 0 : ms;
}
