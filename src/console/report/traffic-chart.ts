// Two pictures of the traffic over time: answers a second by class of status, and how long answers took. Lines differ by their strokes as
// well as by colour; a table beside them says the same in figures.
import { type StatusClass, statusClasses } from "../../rollout/samples/sample.ts";
import type { RolloutView, TrafficPoint } from "../model.ts";
import { clockText, countText, durationText, msText } from "./figures-text.ts";
import { type Html, html } from "./html.ts";
import { type Axis, axisLabels, chart, markLines } from "./time-axis.ts";

const plot = { top: 22, height: 150, bottom: 172 } as const;
const height = 196;
const pointsMax = 480;
const tableRows = 12;

type Line = { readonly name: string; readonly style: string; readonly of: (point: TrafficPoint) => number | null };

const answerLines: readonly Line[] = statusClasses.map((name) => ({
  name: name === "5xx" ? "5xx (failed)" : name,
  style: `s${name}`,
  // A thick line along the bottom would look like failures where there are none.
  of: (point) => (name === "5xx" && point.perSecond[name] === 0 ? null : point.perSecond[name]),
}));
const timeLines: readonly Line[] = [
  { name: "p50", style: "p50", of: (point) => point.p50Ms },
  { name: "p99", style: "p99", of: (point) => point.p99Ms },
];

export function trafficCharts(traffic: RolloutView["traffic"], axis: Axis): Html {
  const points = fewer(traffic.points, pointsMax);
  const seen = answerLines.filter((line) => line.style === "s5xx" || points.some((point) => (line.of(point) ?? 0) > 0));
  return html`
    <figure>
      <figcaption>Answers a second, by class of status ${legend(seen)}</figcaption>
      ${picture("Answers a second over the time of the rollout", seen, points, axis, traffic.marks, (value) => countText(value))}
    </figure>
    <figure>
      <figcaption>Time of answers without image data ${legend(timeLines)}</figcaption>
      ${picture("Time of answers over the time of the rollout", timeLines, points, axis, traffic.marks, (value) => msText(value))}
    </figure>
    ${figuresTable(fewer(traffic.points, tableRows))}`;
}

function legend(lines: readonly Line[]): Html {
  return html`<span class="legend">${lines.map(
    ({ name, style }) =>
      html`<span><svg width="26" height="8" aria-hidden="true"><line class="line ${style}" x1="0" x2="26" y1="4" y2="4"/></svg> ${name}</span>`,
  )}</span>`;
}

function picture(
  title: string,
  lines: readonly Line[],
  points: readonly TrafficPoint[],
  axis: Axis,
  marks: RolloutView["traffic"]["marks"],
  label: (value: number) => string,
): Html {
  const most = niceMax(Math.max(0, ...points.flatMap((point) => lines.map((line) => line.of(point) ?? 0))));
  const y = (value: number) => Math.round((plot.bottom - (value / most) * plot.height) * 10) / 10;
  const grid = [0, 0.5, 1].map((share) => {
    const at = y(most * share);
    return html`<line class="grid" x1="${chart.left}" x2="${chart.width - chart.right}" y1="${at}" y2="${at}"/><text class="tick" x="${chart.left - 8}" y="${at + 4}" text-anchor="end">${label(most * share)}</text>`;
  });
  return html`<svg viewBox="0 0 ${chart.width} ${height}" role="img" aria-label="${title}; the table below has the figures">
    ${grid}${markLines(axis, marks, plot.top, plot.bottom)}
    ${lines.map((line) => html`<path class="line ${line.style}" d="${path(line, points, axis, y)}"/>`)}
    ${axisLabels(axis, height - 8)}</svg>`;
}

/** A step for each interval; nothing where nothing is known. */
function path(line: Line, points: readonly TrafficPoint[], axis: Axis, y: (value: number) => number): string {
  let text = "";
  let isOpen = false;
  for (const point of points) {
    const value = line.of(point);
    if (value === null) {
      isOpen = false;
      continue;
    }
    const from = axis.x(point.atMs - point.seconds * 1000);
    text += `${isOpen && !point.gap ? "L" : "M"}${from} ${y(value)}H${axis.x(point.atMs)}`;
    isOpen = true;
  }
  return text;
}

function figuresTable(points: readonly TrafficPoint[]): Html {
  return html`<table><caption>The same in figures</caption>
    <thead><tr><th scope="col">Up to (UTC)</th><th scope="col">In</th>${statusClasses.map((name) => html`<th scope="col" class="number">${name} a second</th>`)}<th scope="col" class="number">p50</th><th scope="col" class="number">p99</th><th scope="col" class="number">Nodes that told</th></tr></thead>
    <tbody>${points.map(
      (point) =>
        html`<tr><td>${clockText(point.atMs)}</td><td>${durationText(point.seconds)}</td>${statusClasses.map(
          (name) => html`<td class="number">${rateText(point.perSecond[name])}</td>`,
        )}<td class="number">${msText(point.p50Ms)}</td><td class="number">${msText(point.p99Ms)}</td><td class="number">${point.told} of ${point.asked}</td></tr>`,
    )}</tbody></table>`;
}

function rateText(rate: number): string {
  return rate === 0 ? "0" : rate < 10 ? rate.toFixed(2) : countText(rate);
}

/** At most `max` of them, each standing for as many as it takes: rates as their mean, times as the longest. */
function fewer(points: readonly TrafficPoint[], max: number): readonly TrafficPoint[] {
  const each = Math.ceil(points.length / max);
  if (each <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / each) }, (_one, index) => {
    return together(points.slice(index * each, (index + 1) * each));
  });
}

function together(group: readonly TrafficPoint[]): TrafficPoint {
  const [first, last] = [group[0], group.at(-1)];
  if (!first || !last) throw new Error("a group has points");
  const seconds = group.reduce((sum, point) => sum + point.seconds, 0);
  const mean = (name: StatusClass) =>
    group.reduce((sum, point) => sum + point.perSecond[name] * point.seconds, 0) / seconds;
  const longest = (of: (point: TrafficPoint) => number | null) => {
    const times = group.flatMap((point) => of(point) ?? []);
    return times.length === 0 ? null : Math.max(...times);
  };
  return {
    ...last,
    seconds,
    gap: first.gap,
    perSecond: { "2xx": mean("2xx"), "3xx": mean("3xx"), "4xx": mean("4xx"), "5xx": mean("5xx") },
    p50Ms: longest((point) => point.p50Ms),
    p99Ms: longest((point) => point.p99Ms),
    told: Math.min(...group.map((point) => point.told)),
  };
}

/** The next of 1, 2, 5, 10, ... above. */
function niceMax(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}
