// What clients were answered, and how fast, with the rollout's events on the same time axis.
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Mark, RolloutView, TrafficPoint } from "../../../src/console/model.ts";
import { count, milliseconds, perSecond, timeOfDay } from "../words.ts";
import { Chart, type ChartData, type Line } from "./chart.ts";
import { Panel } from "./panel.tsx";

const answers: readonly Line[] = [
  { label: "2xx", colour: "--c2xx", filled: true },
  { label: "3xx", colour: "--c3xx", dash: [2, 3] },
  { label: "4xx", colour: "--c4xx", dash: [7, 4] },
  { label: "5xx", colour: "--c5xx", dash: [1, 2] },
];
const times: readonly Line[] = [
  { label: "p50", colour: "--p50", filled: true },
  { label: "p99", colour: "--p99", dash: [7, 4] },
];
const classes = ["2xx", "3xx", "4xx", "5xx"] as const;

export function TrafficPanel({ view }: { view: RolloutView }) {
  const { traffic } = view;
  const { points, totals, latest } = traffic;
  const range = rangeOf(view);
  const [answerData, timeData] = useMemo(() => chartDataOf(points), [points]);
  const now = latest?.value;
  const rates = now ? classes.map((one) => `${one} ${perSecond(now.perSecond[one])}`).join(", ") : "no figures";
  return (
    <Panel title="Traffic" name="traffic" aside={<Totals view={view} />}>
      {traffic.recorded || points.length > 0 ? (
        <div class={latest?.stale ? "charts stale" : "charts"}>
          <Plot
            lines={answers}
            title="answers a second"
            words={`Answers a second by status class, now: ${rates}. ${count(totals.failures)} failed in all.`}
            data={answerData}
            marks={traffic.marks}
            range={range}
            unit={(value) => count(value)}
          />
          <Plot
            lines={times}
            title="time to answer"
            words={`Time to answer, now: median ${milliseconds(now?.p50Ms ?? null)}, 99th percentile ${milliseconds(now?.p99Ms ?? null)}.`}
            data={timeData}
            marks={traffic.marks}
            range={range}
            unit={milliseconds}
          />
          <Events marks={traffic.marks} />
        </div>
      ) : (
        <p class="empty">No figures of the traffic have been recorded.</p>
      )}
    </Panel>
  );
}

function Totals({ view }: { view: RolloutView }) {
  const { totals, latest } = view.traffic;
  const now = latest?.value;
  const sum = now ? classes.reduce((all, one) => all + now.perSecond[one], 0) : null;
  return (
    <dl class="totals">
      <Total name="now" text={sum === null ? "–" : perSecond(sum)} />
      <Total name="p50" text={milliseconds(now?.p50Ms ?? null)} />
      <Total name="p99" text={milliseconds(now?.p99Ms ?? null)} />
      <Total name="requests" text={count(totals.requests)} />
      <Total name="failed" text={count(totals.failures)} bad={totals.failures > 0} />
    </dl>
  );
}

function Total({ name, text, bad = false }: { name: string; text: string; bad?: boolean }) {
  return (
    <div class={bad ? "bad" : ""}>
      <dt>{name}</dt>
      <dd>{text}</dd>
    </div>
  );
}

type PlotProps = {
  lines: readonly Line[];
  title: string;
  /** What the picture shows, for those who do not see it. */
  words: string;
  data: ChartData;
  marks: readonly Mark[];
  range: readonly [number, number];
  unit: (value: number) => string;
};

function Plot({ lines, title, words, data, marks, range, unit }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<Chart | null>(null);
  useEffect(() => {
    if (!place.current) return undefined;
    const made = new Chart(place.current, lines, unit);
    chart.current = made;
    return () => made.remove();
  }, []);
  useEffect(() => chart.current?.show(data, marks, range));
  return (
    <figure class="plot">
      <figcaption>
        {title}
        <span class="keys">
          {lines.map((line, index) => (
            <span key={line.label} class={`key key-${line.label}`}>
              <svg viewBox="0 0 22 8" width="22" height="8" aria-hidden="true" focusable="false">
                <path d="M1 4h20" stroke-dasharray={lines[index]?.dash?.join(" ")} />
              </svg>
              {line.label}
            </span>
          ))}
        </span>
      </figcaption>
      <div class="canvas" ref={place} role="img" aria-label={words} />
    </figure>
  );
}

/** The newest events in words, as the lines in the charts have none. */
function Events({ marks }: { marks: readonly Mark[] }) {
  const shown = marks.slice(-3).toReversed();
  return (
    <ul class="events" aria-label="Newest events in the charts">
      {shown.map((mark) => (
        <li key={mark.seq} class={`event event-${mark.kind}`}>
          <time>{timeOfDay(mark.atMs)}</time> {mark.text}
        </li>
      ))}
    </ul>
  );
}

function chartDataOf(points: readonly TrafficPoint[]): readonly [ChartData, ChartData] {
  const seconds = secondsOf(points);
  return [
    [seconds, ...classes.map((one) => valuesOf(points, (point) => point.perSecond[one]))],
    [seconds, valuesOf(points, (point) => point.p50Ms), valuesOf(points, (point) => point.p99Ms)],
  ];
}

/** A gap is an interval that nothing is known of: the line is broken there. */
function secondsOf(points: readonly TrafficPoint[]): readonly number[] {
  return points.flatMap((point) => {
    const at = point.atMs / 1000;
    return point.gap ? [at - point.seconds, at] : [at];
  });
}

function valuesOf(points: readonly TrafficPoint[], value: (point: TrafficPoint) => number | null) {
  return points.flatMap((point) => (point.gap ? [null, value(point)] : [value(point)]));
}

function rangeOf(view: RolloutView): readonly [number, number] {
  const { points } = view.traffic;
  const first = points[0];
  const beganMs = Math.min(view.beganAtMs ?? view.atMs, first ? first.atMs - first.seconds * 1000 : view.atMs);
  return [beganMs / 1000, Math.max(view.atMs, points.at(-1)?.atMs ?? 0, beganMs + 10_000) / 1000];
}
