// Everything the journal alone tells, entry by entry: the same code whether entries come one at a time while a rollout runs, or all at
// once from one of last year. A copy can be taken at any entry and goes on from there.
import type { CanaryFigures } from "../rollout/canary/judge-canary.ts";
import { isRecord, numberOf, textOf } from "./journal-line.ts";
import type { GateView, JournalLine, Mark, MigrationView } from "./model.ts";
import { type NodeTrack, newTrack, trackStep } from "./node-track.ts";
import { PhaseClock } from "./phases.ts";

/** Steps that make a phase of the schema or the backup done. */
const phaseOfStep: Readonly<Record<string, string>> = {
  "back-up": "backup",
  expand: "expand",
  migrate: "migrate",
  contract: "contract",
  revert: "revert",
};

export type Migration = {
  progress: NonNullable<MigrationView["progress"]>["value"] | null;
  atMs: number;
  state: MigrationView["state"];
};

export class JournalFold {
  phases = new PhaseClock();
  nodes = new Map<string, NodeTrack>();
  way: "forward" | "back" = "forward";
  gates: GateView[] = [];
  marks: Mark[] = [];
  migration: Migration | null = null;
  /** The newest decision, the newest word on the same wait, and how the decision's step ended. */
  decision: JournalLine | null = null;
  waitWord: JournalLine | null = null;
  result: JournalLine | null = null;
  /** How it came to its end; null while it has not. */
  end: "finished" | "rolled back" | "aborted" | null = null;
  /** Its last run said that it stopped. */
  stopped = false;
  lastAtMs: number | null = null;
  readonly #target: string;
  #began: Readonly<Record<string, string>> = {};
  /** Where this way leads to; null where it is not known. */
  #leadsTo: string | null;

  constructor(target: string) {
    this.#target = target;
    this.#leadsTo = target;
  }

  clone(): JournalFold {
    const copy = new JournalFold(this.#target);
    copy.phases = this.phases.clone();
    copy.nodes = new Map([...this.nodes].map(([name, track]) => [name, { ...track }]));
    copy.gates = [...this.gates];
    copy.marks = [...this.marks];
    copy.migration = this.migration && { ...this.migration };
    const { way, decision, waitWord, result, end, stopped, lastAtMs } = this;
    Object.assign(copy, { way, decision, waitWord, result, end, stopped, lastAtMs });
    copy.#began = this.#began;
    copy.#leadsTo = this.#leadsTo;
    return copy;
  }

  apply(line: JournalLine): void {
    this.lastAtMs = line.atMs;
    this.stopped = line.data.stopped === true;
    this.#notice(line);
    if (this.phases.enter(line)) this.#mark(line, "phase", `phase ${line.phase}`);
    if (line.node !== null) trackStep(this.#track(line.node, line.atMs), line, this.#leadsTo);
    if (line.kind === "decision") this.#decide(line);
    else if (line.kind === "result") this.#end(line);
    else if (line.kind === "observation" && this.decision?.data.do === "wait") this.waitWord = line;
    if (line.phase === "migrate") this.#migrate(line);
  }

  /** What an entry says besides its step: how the fleet was at the beginning, and which way a run goes. */
  #notice(line: JournalLine): void {
    const { began, run } = line.data;
    if (isRecord(began)) {
      this.#began = Object.fromEntries(
        Object.entries(began).flatMap(([name, id]) => (typeof id === "string" ? [[name, id]] : [])),
      );
      for (const [name, release] of Object.entries(this.#began))
        this.nodes.set(name, newTrack(name, release, line.atMs));
    }
    if (isRecord(run)) {
      this.#turn(run.way === "back" ? "back" : "forward", textOf(run.target));
      this.end = null;
    } else if (line.phase === "revert" || this.#goesBack(line)) this.#turn("back");
  }

  /** A version that does not say which way a run goes installs what the node served before. */
  #goesBack(line: JournalLine): boolean {
    if (line.node === null || line.data.do !== "install" || line.kind !== "result") return false;
    return this.#began[line.node] !== undefined && line.text.endsWith(`installed as ${this.#began[line.node]}`);
  }

  #turn(way: "forward" | "back", leadsTo?: string): void {
    this.#leadsTo = leadsTo ?? (way === "forward" ? this.#target : (Object.values(this.#began)[0] ?? null));
    if (way === this.way) return;
    this.way = way;
    this.phases.begin();
  }

  #track(name: string, atMs: number): NodeTrack {
    const track = this.nodes.get(name) ?? newTrack(name, null, atMs);
    this.nodes.set(name, track);
    return track;
  }

  #decide(line: JournalLine): void {
    this.decision = line;
    this.waitWord = null;
    this.result = null;
    const step = line.data.do;
    if (step === "drain" || step === "hand-over") this.#mark(line, "out", line.text);
    if (step === "pause") this.#mark(line, "pause", line.text);
    if (step === "judge" || step === "retreat" || line.data.verdict === "failed") this.#judge(line);
    if (step === "finish") this.end = line.data.rolledBack === true ? "rolled back" : "finished";
    if (step === "abort") this.end = "aborted";
    if (step === "finish" || step === "abort") this.#mark(line, "end", line.text);
    if (step === "finish") this.#settle(line.atMs);
  }

  /** It finishes only when every node serves what it leads to. */
  #settle(atMs: number): void {
    for (const track of this.nodes.values()) {
      const release = this.#leadsTo ?? track.release;
      Object.assign(track, {
        state: "serving",
        stateAtMs: atMs,
        release,
        releaseAtMs: atMs,
        step: null,
        trouble: null,
      });
    }
  }

  #end(line: JournalLine): void {
    const step = textOf(line.data.do);
    if (step === undefined) return;
    this.result = line;
    const ok = line.data.ok === true;
    const phase = phaseOfStep[step];
    if (ok && phase !== undefined) this.phases.succeed(phase);
    if (!ok) this.#mark(line, "failure", line.text);
    else if (step === "enable") this.#mark(line, "back", line.text);
    if (step === "back-up") this.#gate(line, "backup", ok);
    if (step === "probe") this.#gate(line, "probe", ok);
  }

  #judge(line: JournalLine): void {
    const passed = line.data.verdict === "passed";
    this.#gate(line, "canary", passed, canaryFigures(line.data.figures));
    this.#mark(line, "verdict", line.text);
  }

  #gate(line: JournalLine, gate: GateView["gate"], passed: boolean, figures: CanaryFigures | null = null): void {
    const { seq, atMs, node, text } = line;
    this.gates.push({ seq, atMs, gate, node, verdict: passed ? "passed" : "failed", text, figures });
  }

  #migrate(line: JournalLine): void {
    const { data, atMs } = line;
    if (line.kind === "decision" && data.do === "migrate") {
      const progress = this.migration?.progress ?? null;
      this.migration = { progress, atMs: this.migration?.atMs ?? atMs, state: "running" };
    } else if (line.kind === "result" && data.do === "migrate" && this.migration) {
      const { progress } = this.migration;
      if (data.ok === true)
        this.migration = { progress: progress && wholeOf(progress, line.text), atMs, state: "done" };
      else this.migration.state = "failed";
    } else if (data.event === "progress") {
      const progress = progressOf(data);
      this.migration = { progress, atMs, state: progress.heldBack?.startsWith("paused") ? "paused" : "running" };
    }
  }

  #mark({ atMs, seq, node }: JournalLine, kind: Mark["kind"], text: string): void {
    this.marks.push({ atMs, seq, kind, node, text });
  }
}

function progressOf(data: Readonly<Record<string, unknown>>): NonNullable<Migration["progress"]> {
  return {
    step: textOf(data.step) ?? "",
    rowsDone: numberOf(data.rowsDone) ?? 0,
    rowsTotal: numberOf(data.rowsTotal),
    rowsPerSecond: numberOf(data.rowsPerSecond),
    etaSeconds: numberOf(data.etaSeconds),
    batchRows: numberOf(data.batchRows),
    heldBack: textOf(data.detail) ?? null,
  };
}

/** Rows that went away meanwhile are pending no more, so that a migration may end short of the number that it began with. */
function wholeOf(progress: NonNullable<Migration["progress"]>, text: string): NonNullable<Migration["progress"]> {
  const told = /, (\d+) rows?$/.exec(text)?.[1];
  if (told === undefined) return progress;
  const rowsDone = Math.max(progress.rowsDone, Number(told));
  return { ...progress, rowsDone, rowsTotal: rowsDone, etaSeconds: 0, heldBack: null };
}

/** Null where it is not as this version writes it. */
function canaryFigures(value: unknown): CanaryFigures | null {
  if (!isRecord(value) || numberOf(value.windowMs) === null) return null;
  const groups = [value.new, value.old].map((group) => {
    if (!isRecord(group)) return null;
    const [requests, errors] = [numberOf(group.requests), numberOf(group.errors)];
    if (requests === null || errors === null) return null;
    const nodes = Array.isArray(group.nodes) ? group.nodes.map(String) : [];
    return { nodes, requests, errors, p99Ms: numberOf(group.p99Ms) };
  });
  const [fresh, old] = groups;
  return fresh && old ? { windowMs: numberOf(value.windowMs) ?? 0, new: fresh, old } : null;
}
