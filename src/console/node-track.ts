// One node as the journal tells of it: its state follows from the rollout's own steps, so that it is known where nothing was recorded.

import { textOf } from "./journal-line.ts";
import type { JournalLine, NodeCard, NodeState } from "./model.ts";

export type NodeTrack = {
  readonly name: string;
  state: NodeState;
  stateAtMs: number;
  release: string | null;
  releaseAtMs: number;
  /** What it serves when it is started next. */
  installed: string | null;
  step: NodeCard["step"];
  failures: number;
  trouble: string | null;
};

export function newTrack(name: string, release: string | null, atMs: number): NodeTrack {
  const state = release === null ? "unknown" : "serving";
  const none = { step: null, failures: 0, trouble: null, installed: null };
  return { name, state, stateAtMs: atMs, release, releaseAtMs: atMs, ...none };
}

/** What a step that succeeded has made of the node. */
const stateAfter: Readonly<Record<string, NodeState>> = {
  drain: "draining",
  stop: "stopping",
  cut: "out",
  disable: "out",
  install: "out",
  start: "starting",
  enable: "serving",
  "hand-over": "serving",
};

/** `target`: what this way of the rollout leads to. */
export function trackStep(track: NodeTrack, line: JournalLine, target: string | null): void {
  const step = textOf(line.data.do);
  if (step === undefined) return;
  if (line.kind === "decision") {
    if (step === "pause") track.trouble = line.text;
    else track.step = { do: step, text: line.text, sinceMs: line.atMs };
    return;
  }
  if (line.kind !== "result") return;
  track.step = null;
  if (line.data.ok === false) {
    track.failures++;
    track.trouble = line.text;
    return;
  }
  track.trouble = null;
  const state = stateAfter[step];
  if (state !== undefined) {
    track.state = state;
    track.stateAtMs = line.atMs;
  }
  if (step === "install") track.installed = releaseIn(line) ?? target;
  if (step === "start" || step === "hand-over") {
    track.release = releaseIn(line) ?? track.installed ?? (step === "hand-over" ? target : track.release);
    track.releaseAtMs = line.atMs;
  }
}

/** Older versions say it in the text only. */
function releaseIn(line: JournalLine): string | null {
  return textOf(line.data.release) ?? /(?:installed as|, as) ([A-Za-z0-9.]+)$/.exec(line.text)?.[1] ?? null;
}
