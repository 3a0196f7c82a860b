// A rollout as one HTML file that needs nothing else: no script, no network, and everything from outside as text. It draws what the live
// page draws, at the rollout's end.
import type { PastRollout } from "../../rollout/rollout-history.ts";
import type { RolloutView } from "../model.ts";
import type { Timeline } from "../timeline.ts";
import { bytesText, countText, durationText, msText, timeText } from "./figures-text.ts";
import { Html, html } from "./html.ts";
import { nodeLanes } from "./node-lanes.ts";
import { type ReportFacts, reportFacts } from "./report-facts.ts";
import { reportStyle } from "./report-style.ts";
import { decisionTable, gateTable, nodeTable, runTables } from "./report-tables.ts";
import { timeAxis } from "./time-axis.ts";
import { trafficCharts } from "./traffic-chart.ts";

export type ReportOptions = {
  readonly timeline: Timeline;
  readonly past: Pick<PastRollout, "broken" | "copies">;
  /** Somebody has the fleet's lease. */
  readonly held: boolean;
  readonly nowMs: number;
  /** Of the package that makes the report. */
  readonly version: string;
};

/** The whole file's text. */
export function reportPage({ timeline, past, held, nowMs, version }: ReportOptions): string {
  const lastMs = timeline.lastAtMs ?? nowMs;
  // One that is under way is shown as it is now, one that nobody is at as it was left.
  const view = timeline.viewAt(held ? Math.max(nowMs, lastMs) : lastMs, { held, entriesMax: 0 });
  const facts = reportFacts(timeline.lines, view.target);
  const fromMs = view.beganAtMs ?? lastMs;
  const axis = timeAxis(fromMs, Math.max(view.atMs, view.traffic.points.at(-1)?.atMs ?? 0));
  const title = `Rollout of ${view.fleet} to ${view.target}`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="perennial ${version}">
<title>${title}, ${view.state}</title>
<style>${style}</style>
</head>
<body>
<main>
${head(view, title, fromMs)}
${totals(view, facts)}
${notes(view)}
<section aria-labelledby="phases"><h2 id="phases">Phases</h2>${phaseBar(view)}</section>
${now(view)}
<section aria-labelledby="traffic"><h2 id="traffic">Traffic</h2>${traffic(view, axis)}</section>
<section aria-labelledby="nodes"><h2 id="nodes">Nodes</h2>${nodeLanes(facts.nodes, view.target, axis, view.traffic.marks)}${nodeTable(view, facts)}</section>
${migration(view)}
<section aria-labelledby="gates"><h2 id="gates">Gates and verdicts</h2>${gateTable(view)}</section>
<section aria-labelledby="decisions"><h2 id="decisions">Every decision</h2>${decisionTable(view, facts)}</section>
<section aria-labelledby="settings"><h2 id="settings">Versions and settings</h2>${runTables(facts)}</section>
${foot(view, past, nowMs, version)}
</main>
</body>
</html>
`;
  return page.text;
}

/** Our own text: what stands in a style element is not escaped in HTML. */
const style = new Html(reportStyle);

const tones: Partial<Record<RolloutView["state"], string>> = {
  finished: "good",
  paused: "bad",
  aborted: "bad",
  "rolled back": "warn",
  stopped: "warn",
};

function head(view: RolloutView, title: string, fromMs: number): Html {
  const seconds = (view.atMs - fromMs) / 1000;
  return html`<header><h1>${title}</h1>
<p><span class="badge ${tones[view.state] ?? ""}">${view.state}</span> <span class="soft">${view.way === "back" ? "on the way back, " : ""}${timeText(fromMs)} to ${timeText(view.atMs)}, ${durationText(seconds)}</span></p>
<p class="soft">${view.rolloutId}</p></header>`;
}

function totals({ traffic }: RolloutView, facts: ReportFacts): Html {
  const { totals: sum, recorded } = traffic;
  const counted = (count: number) => (recorded ? countText(count) : "not recorded");
  const tiles: readonly (readonly [string, string])[] = [
    [counted(sum.requests), "requests answered"],
    [counted(sum.failures), "requests failed"],
    [counted(sum.transfers), "transfers of image data completed"],
    [recorded ? msText(sum.p99Ms) : "not recorded", `p99 of answers without data, p50 ${msText(sum.p50Ms)}`],
    [countText(facts.gaveWay), "times a schema change gave way to traffic"],
    [
      facts.bytesVerified === null ? "not recorded" : bytesText(facts.bytesVerified),
      "of backup read back and verified",
    ],
  ];
  return html`<ul class="tiles" aria-label="Totals">${tiles.map(([value, what]) => html`<li><b>${value}</b> <span>${what}</span></li>`)}</ul>`;
}

function notes({ notes: told }: RolloutView): Html | null {
  if (told.length === 0) return null;
  return html`<section class="notes" aria-labelledby="notes"><h2 id="notes">What this report does not know</h2><ul>${told.map((note) => html`<li>${note}</li>`)}</ul></section>`;
}

const phaseWords = { done: "✔ done", current: "▶ under way", resting: "begun", ahead: "not begun" } as const;

function phaseBar({ phases }: RolloutView): Html {
  return html`<ol class="phases">${phases.map(({ phase, state, seconds, beganAtMs }) => {
    const took = beganAtMs === null ? "" : `, ${durationText(seconds)}`;
    const words = state === "done" && beganAtMs === null ? "✔ nothing to do" : phaseWords[state];
    return html`<li class="${state}"><b>${phase}</b> <span>${words}${took}</span></li>`;
  })}</ol>`;
}

/** Of a rollout that is over there is nothing to wait for. */
function now(view: RolloutView): Html | null {
  if (view.now.next === null && !view.now.waits) return null;
  const { doing, why, sinceMs, next } = view.now;
  return html`<section aria-labelledby="now"><h2 id="now">Where it stands</h2><dl>
<dt>Now</dt><dd>${doing}${sinceMs === null ? "" : `, since ${timeText(sinceMs)}`}</dd>
${why !== null && html`<dt>Why</dt><dd>${why}</dd>`}${next !== null && html`<dt>Next</dt><dd>${next}</dd>`}</dl></section>`;
}

function traffic(view: RolloutView, axis: ReturnType<typeof timeAxis>): Html {
  if (!view.traffic.recorded) return html`<p class="soft">Not recorded.</p>`;
  if (view.traffic.points.length === 0)
    return html`<p class="soft">One look at the fleet is recorded, which tells no rates.</p>`;
  return html`<p class="soft">As the nodes counted, every few seconds; health checks are left out, and so is what a node answered between the last look and its end.</p>${trafficCharts(view.traffic, axis)}`;
}

function migration(view: RolloutView): Html | null {
  if (!view.migration) return null;
  const { progress, state } = view.migration;
  const figures = progress?.value;
  return html`<section aria-labelledby="migration"><h2 id="migration">Migration of the data</h2><dl><dt>State</dt><dd>${state}</dd>
${
  figures
    ? html`<dt>Step</dt><dd>${figures.step}</dd><dt>Rows</dt><dd>${countText(figures.rowsDone)}${figures.rowsTotal === null ? "" : ` of ${countText(figures.rowsTotal)}`}</dd>
<dt>Rate</dt><dd>${figures.rowsPerSecond === null ? "not known" : `${countText(figures.rowsPerSecond)} rows a second, ${countText(figures.batchRows ?? 0)} in a batch`}</dd>
<dt>Known at</dt><dd>${timeText(progress.atMs)}</dd>${figures.heldBack !== null && html`<dt>Held back</dt><dd>${figures.heldBack}</dd>`}`
    : html`<dt>Progress</dt><dd>not recorded</dd>`
}</dl></section>`;
}

function foot(view: RolloutView, past: ReportOptions["past"], nowMs: number, version: string): Html {
  const { broken, copies } = past;
  const places = [copies.database !== null && "in the database", copies.disk !== null && "on disk"].filter(
    (one) => one !== false,
  );
  const whole = broken
    ? `broken at entry ${broken.seq}: ${broken.why}`
    : `whole ${places.join(" and ")}: each entry carries the hash of the one before it`;
  return html`<footer><p>Journal of ${countText(view.journal.total)} entries, ${whole}.</p><p>Made ${timeText(nowMs)} by glance-rollout ${version}. Times are UTC. Passwords and tokens are not in this file.</p></footer>`;
}
