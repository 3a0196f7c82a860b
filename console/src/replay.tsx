// A rollout as it was at any moment: the same page, and a slider over its time. It can be played, too.
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Mark } from "../../src/console/model.ts";
import type { OpenedRollout } from "../../src/console/past-rollouts.ts";
import { Timeline } from "../../src/console/timeline.ts";
import { Dashboard } from "./dashboard.tsx";
import { ask } from "./history.tsx";
import { duration, timeOfDay } from "./words.ts";

/** A whole rollout is played within this. */
const playSeconds = 40;
const frameMs = 250;

export function Replay({ id }: { id: string }) {
  const [told, setTold] = useState<OpenedRollout | string | null>(null);
  useEffect(() => {
    ask<OpenedRollout>(`/api/rollouts/${encodeURIComponent(id)}`).then(setTold);
  }, [id]);
  if (told === null || typeof told === "string") {
    return (
      <div class="waiting" role="status">
        {told ?? "The journal is being read."} {told && <a href="#/history">All rollouts</a>}
      </div>
    );
  }
  return <Opened rollout={told} />;
}

function Opened({ rollout }: { rollout: OpenedRollout }) {
  const timeline = useMemo(() => timelineOf(rollout), [rollout]);
  const [first, last] = [timeline.beganAtMs ?? 0, timeline.lastAtMs ?? 0];
  const [atMs, setAtMs] = useState(last);
  const isEnd = atMs >= last;
  const view = useMemo(
    () => timeline.viewAt(atMs, isEnd ? { held: rollout.state === "running" } : {}),
    [timeline, atMs, isEnd, rollout],
  );
  const marks = useMemo(() => timeline.viewAt(last).traffic.marks, [timeline, last]);
  return (
    <Dashboard view={view} freshness={{ kind: "replay" }}>
      <Slider first={first} last={last} atMs={atMs} marks={marks} onMove={setAtMs} />
    </Dashboard>
  );
}

type SliderProps = {
  first: number;
  last: number;
  atMs: number;
  marks: readonly Mark[];
  onMove: (atMs: number | ((now: number) => number)) => void;
};

function Slider({ first, last, atMs, marks, onMove }: SliderProps) {
  const [plays, setPlays] = useState(false);
  const isEnd = atMs >= last;
  const step = Math.max(1, Math.round((last - first) / 1000));
  useEffect(() => {
    if (!plays) return undefined;
    const frame = ((last - first) / playSeconds / 1000) * frameMs;
    const timer = setInterval(() => onMove((now) => Math.min(last, now + frame)), frameMs);
    return () => clearInterval(timer);
  }, [plays, first, last, onMove]);
  useEffect(() => {
    if (isEnd) setPlays(false);
  }, [isEnd]);
  const play = () => {
    if (!plays && isEnd) onMove(first);
    setPlays(!plays);
  };
  const jump = (to: Mark | undefined) => to && onMove(to.atMs);
  return (
    <section class="slider" aria-label="Moment that is shown">
      <button type="button" class="order" onClick={() => jump(marks.findLast((mark) => mark.atMs < atMs))}>
        Event before
      </button>
      <button type="button" class="order order-main" onClick={play}>
        {plays ? "Stop" : "Play"}
      </button>
      <button type="button" class="order" onClick={() => jump(marks.find((mark) => mark.atMs > atMs))}>
        Next event
      </button>
      <input
        type="range"
        aria-label="Moment"
        min={first}
        max={last}
        step={step}
        value={atMs}
        aria-valuetext={`${timeOfDay(atMs)}, ${duration((atMs - first) / 1000)} after it began`}
        onInput={(event) => {
          setPlays(false);
          const value = Number(event.currentTarget.value);
          // The last step of a slider may end before its end.
          onMove(value > last - step ? last : value);
        }}
      />
      <output>
        {timeOfDay(atMs)} <span class="dim">{duration((atMs - first) / 1000)}</span>
      </output>
    </section>
  );
}

function timelineOf({ rollout, fleet, target, lines, samples, nodes, notes }: OpenedRollout): Timeline {
  const read = nodes.map(({ atMs, seen }) => ({ atMs, read: () => seen }));
  return new Timeline({
    rolloutId: rollout,
    fleet,
    target,
    entries: lines,
    samples: { fleet: samples, nodes: read },
    notes,
  });
}
