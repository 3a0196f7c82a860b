// Rollouts as they are told afterwards: both copies of each journal read, checked and summed up. Changes nothing.
import { isServiceError } from "../core/errors.ts";
import type { Phase } from "./decision.ts";
import { type ChainBreak, findBreak, parseEntry } from "./journal-chain.ts";
import type { JournalEvent } from "./journal-event.ts";
import { compareStamps, type JournalText, parseRolloutId, readJournalTexts } from "./journal-file.ts";
import type { JournalStore } from "./journal-store.ts";

export type PastRollout = {
  readonly rolloutId: string;
  readonly target: string;
  readonly events: readonly JournalEvent[];
  /** As they stand in the longer copy, those that are no entries among them. */
  readonly lines: readonly string[];
  /** The copy on disk ends in the middle of a line. */
  readonly torn: boolean;
  /** Entries of each copy; null where it does not exist or cannot be asked. */
  readonly copies: { readonly database: number | null; readonly disk: number | null };
  /** The first entry that is not as it was written, in either copy. */
  readonly broken: (ChainBreak & { readonly copy: "database" | "disk" }) | null;
};

export type RolloutState = "running" | "waiting" | "paused" | "stopped" | "aborted" | "finished" | "rolled back";

/** The rollouts of this fleet, oldest first. Where the database cannot be asked only this folder's are told. */
export async function readHistory(
  folder: string,
  fleet: string,
  store: Pick<JournalStore, "list" | "read">,
  only?: string,
): Promise<readonly PastRollout[]> {
  const isWanted = (id: string) => parseRolloutId(id)?.fleet === fleet && (only === undefined || id === only);
  const files = new Map((await readJournalTexts(folder, fleet, only)).map((file) => [file.rolloutId, file]));
  const stored = await readStored(store, isWanted);
  const ids = [...new Set([...files.keys(), ...stored.keys()])].filter(isWanted);
  const stampOf = (id: string) => parseRolloutId(id)?.stamp ?? "";
  ids.sort((a, b) => compareStamps(stampOf(a), stampOf(b)));
  return ids.map((id) => toPast(id, stored.get(id), files.get(id))).filter(({ lines }) => lines.length > 0);
}

async function readStored(
  store: Pick<JournalStore, "list" | "read">,
  isWanted: (id: string) => boolean,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const stored = new Map<string, readonly string[]>();
  try {
    for (const { rolloutId } of await store.list()) {
      if (isWanted(rolloutId))
        stored.set(
          rolloutId,
          (await store.read(rolloutId)).map(({ entry }) => entry),
        );
    }
  } catch (error) {
    if (!isServiceError(error)) throw error;
    // What it had is told by the copies on disk, as far as they are here.
  }
  return stored;
}

function toPast(id: string, stored: readonly string[] | undefined, file: JournalText | undefined): PastRollout {
  const onDisk = file?.lines ?? [];
  const inDatabase = stored ?? [];
  const lines = inDatabase.length >= onDisk.length ? inDatabase : onDisk;
  return {
    rolloutId: id,
    target: parseRolloutId(id)?.target ?? "",
    events: lines.flatMap((line) => parseEntry(line) ?? []),
    lines,
    torn: file?.torn ?? false,
    copies: { database: stored?.length ?? null, disk: file?.lines.length ?? null },
    broken: breakIn(id, inDatabase, onDisk),
  };
}

function breakIn(id: string, inDatabase: readonly string[], onDisk: readonly string[]): PastRollout["broken"] {
  const inFirst = breakOf(id, "database", inDatabase);
  const difference = differenceOf(inDatabase, onDisk);
  // What is the same, and no longer, needs no second look: a journal of a day has tens of thousands of entries.
  if (inFirst || (!difference && onDisk.length <= inDatabase.length)) return inFirst;
  return breakOf(id, "disk", onDisk) ?? difference;
}

function breakOf(id: string, copy: "database" | "disk", lines: readonly string[]): PastRollout["broken"] {
  const found = findBreak(id, lines);
  return found && { ...found, copy };
}

/** Each copy holds together by itself, and yet they tell different stories. */
function differenceOf(inDatabase: readonly string[], onDisk: readonly string[]): PastRollout["broken"] {
  const length = Math.min(inDatabase.length, onDisk.length);
  for (let index = 0; index < length; index++) {
    if (inDatabase[index] !== onDisk[index]) {
      return { seq: index + 1, why: "the copy on disk says something else than the database's", copy: "disk" };
    }
  }
  return null;
}

/** `held`: somebody has the fleet's lease now. */
export function stateOf(events: readonly JournalEvent[], held: boolean): RolloutState {
  const last = events.findLast((event) => event.kind === "decision")?.data;
  if (last?.do === "finish") return last.rolledBack === true ? "rolled back" : "finished";
  if (last?.do === "abort") return "aborted";
  if (last?.do === "wait" && last.key === "request") return "paused";
  if (held) return "running";
  if (last?.do === "reach") return "waiting";
  return last?.do === "pause" ? "paused" : "stopped";
}

export type RolloutReport = {
  readonly began: string;
  readonly last: string;
  readonly seconds: number;
  readonly phases: readonly { readonly phase: Phase; readonly seconds: number }[];
  readonly nodes: readonly {
    readonly node: string;
    /** From the first step that took it out until it was back in rotation; null where it is not back yet. */
    readonly outSeconds: number | null;
    readonly starts: number;
    readonly failures: number;
  }[];
  readonly steps: number;
  readonly failures: readonly { readonly seq: number; readonly text: string }[];
  readonly pauses: readonly { readonly seq: number; readonly time: string; readonly text: string }[];
  readonly backup: string | null;
};

/** What happened, in figures. `events` are one rollout's, at least one. */
export function reportOf(events: readonly JournalEvent[]): RolloutReport {
  const [first, last] = [events[0]?.time ?? "", events.at(-1)?.time ?? ""];
  const results = events.filter((event) => event.kind === "result" && typeof event.data?.do === "string");
  return {
    began: first,
    last,
    seconds: between(first, last),
    phases: phasesOf(events),
    nodes: [...new Set(events.flatMap((event) => event.node ?? []))].map((node) => nodeReport(node, events)),
    steps: results.length,
    failures: results.filter((event) => event.data?.ok === false).map(({ seq, text }) => ({ seq, text })),
    pauses: events
      .filter((event) => event.kind === "decision" && event.data?.do === "pause")
      .map(({ seq, time, text }) => ({ seq, time, text })),
    backup: results.findLast((event) => event.data?.do === "back-up" && event.data.ok === true)?.text ?? null,
  };
}

/** Each entry's time counts to its phase until the next one. */
function phasesOf(events: readonly JournalEvent[]): RolloutReport["phases"] {
  const seconds = new Map<Phase, number>();
  for (const [index, event] of events.entries()) {
    const until = events[index + 1]?.time ?? event.time;
    seconds.set(event.phase, (seconds.get(event.phase) ?? 0) + between(event.time, until));
  }
  return [...seconds].map(([phase, sum]) => ({ phase, seconds: round(sum) }));
}

function nodeReport(node: string, events: readonly JournalEvent[]): RolloutReport["nodes"][number] {
  const own = events.filter((event) => event.node === node);
  const done = (step: string) =>
    own.filter((one) => one.kind === "result" && one.data?.do === step && one.data.ok === true);
  const out = own.find((one) => one.kind === "decision" && ["drain", "disable"].includes(String(one.data?.do)));
  const back = done("enable").at(-1);
  return {
    node,
    outSeconds: out && back && back.seq > out.seq ? between(out.time, back.time) : null,
    starts: done("start").length,
    failures: own.filter((event) => event.kind === "result" && event.data?.ok === false).length,
  };
}

function between(from: string, until: string): number {
  const seconds = (Date.parse(until) - Date.parse(from)) / 1000;
  // An entry without a time, or none at all.
  return Number.isNaN(seconds) ? 0 : round(seconds);
}

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}
