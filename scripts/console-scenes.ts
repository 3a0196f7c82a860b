// The moments of a recorded rollout that the pictures of the console show: before it, in each of its phases, and after it. Each is what the
// live page was told at that moment, so that none has to be caught while it goes by.
import type { LiveHead, LiveState } from "../src/console/live-state.ts";
import type { RolloutRecord } from "../src/console/timeline.ts";
import type { JournalEvent } from "../src/rollout/journal-event.ts";
import { stateOf } from "../src/rollout/rollout-history.ts";
import type { NodesSample } from "../src/rollout/samples/sample.ts";

export const sceneNames = ["before", "backup", "expand", "migrate", "nodes", "contract", "after"] as const;
export type SceneName = (typeof sceneNames)[number];

/** What the schema needs next, at each of them. */
const dueAt = {
  before: "expand",
  backup: "expand",
  expand: "expand",
  migrate: "migrate",
  nodes: "contract",
  contract: "contract",
  after: "nothing",
} as const;
const stepOf = { backup: "back-up", expand: "expand", migrate: "migrate", contract: "contract" } as const;

/** Younger figures are called those of now. */
const seenMsMax = 5_000;

/** `events`: the record's journal. Throws an Error where the rollout was no whole one. */
export function sceneOf(name: SceneName, record: RolloutRecord, events: readonly JournalEvent[]): LiveState {
  const { nodes: sampled, fleet } = record.samples;
  const atMs = momentOf(name, events, sampled);
  const look = sampled.findLast((sample) => sample.atMs <= atMs) ?? sampled[0];
  if (!look) throw new Error("nothing was recorded of the nodes");
  const entries = events.filter((event) => timeOf(event) <= atMs);
  const isHeld = name !== "before" && name !== "after";
  const head: LiveHead = {
    fleet: record.fleet,
    target: record.target,
    rollout: name === "before" ? null : record.rolloutId,
    state: entries.length === 0 ? "none" : stateOf(entries, isHeld),
    holder: isHeld ? `process 2711 on controller-1, since ${events[0]?.time.replace(/\.\d+/, "")}` : null,
    notes: [],
    atMs,
    seenMs: name === "before" ? atMs : Math.max(look.atMs, atMs - seenMsMax),
    problem: null,
    due: dueAt[name],
    request: null,
    canary: null,
    contractPending: false,
    migrate: { paused: false, limits: {} },
    control: true,
  };
  return { head, nodes: look.read(), entries, samples: fleet.filter((sample) => sample.atMs <= atMs) };
}

/** A phase is shown right before its end, when there is most to see of it. */
function momentOf(name: SceneName, events: readonly JournalEvent[], sampled: readonly NodesSample[]): number {
  if (name === "before") return timeOf(events[0]) - 1;
  if (name === "after") return timeOf(events.at(-1));
  if (name === "nodes") return heldUpMs(events, sampled);
  const end = events.find((event) => event.kind === "result" && event.data?.do === stepOf[name]);
  if (!end) throw new Error(`the rollout has no ${name}`);
  return timeOf(end) - 1;
}

/** A node waits for its transfers when the first has moved; in a run where none had any, it was told to stop at least. */
function heldUpMs(events: readonly JournalEvent[], sampled: readonly NodesSample[]): number {
  const moved = events.findIndex((event) => event.kind === "result" && event.data?.do === "enable");
  const findAfter = (is: (event: JournalEvent) => boolean) => events.findIndex((event, at) => at > moved && is(event));
  const held = findAfter((event) => /holds \d+ transfer/.test(event.text));
  const from = held >= 0 ? held : findAfter((event) => event.kind === "result" && event.data?.do === "stop");
  if (moved < 0 || from < 0) throw new Error("the rollout has no node that was told to stop after another had moved");
  const next = events.findIndex((event, at) => at > from && event.kind === "decision");
  const [fromMs, untilMs] = [timeOf(events[from]), timeOf(events[next])];
  return sampled.find(({ atMs }) => atMs >= fromMs && atMs < untilMs)?.atMs ?? fromMs;
}

function timeOf(event: JournalEvent | undefined): number {
  return Date.parse(event?.time ?? "");
}
