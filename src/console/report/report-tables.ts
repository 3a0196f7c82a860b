// The tables of a report: nodes, gates, decisions, and the runs with their settings.
import type { CanaryFigures } from "../../rollout/canary/judge-canary.ts";
import { textOf } from "../journal-line.ts";
import type { Known, RolloutView } from "../model.ts";
import { clockText, countText, durationText, msText, timeText } from "./figures-text.ts";
import { type Html, html } from "./html.ts";
import type { DecisionRow, ReportFacts } from "./report-facts.ts";

export function nodeTable(view: RolloutView, facts: ReportFacts): Html {
  const histories = new Map(facts.nodes.map((node) => [node.name, node]));
  if (view.nodes.length === 0) return html`<p class="soft">The journal tells of no node.</p>`;
  return table(
    "Nodes",
    ["Node", "Release", "State", "Not in rotation", "Starts", "Failed steps", "Last trouble"],
    view.nodes.map((node) => {
      const history = histories.get(node.name);
      const began = history?.parts[0]?.release ?? null;
      const release = node.release?.value ?? "never known";
      return [
        node.name,
        began !== null && began !== release ? `${began} → ${release}` : release,
        `${stateWords[node.state.value]}${ageText(node.state, view.atMs)}`,
        history ? durationText(history.outSeconds) : "not recorded",
        String(history?.starts ?? 0),
        String(node.failures),
        node.trouble ?? "-",
      ];
    }),
    [3, 4, 5],
  );
}

const stateWords: Readonly<Record<RolloutView["nodes"][number]["state"]["value"], string>> = {
  serving: "in rotation",
  draining: "finishes what it has",
  stopping: "ends when it has finished",
  out: "out",
  starting: "started, not in rotation",
  unwell: "in rotation, not well",
  unknown: "never told",
};

/** A state that may be another by now is shown with its age. */
function ageText({ atMs, stale }: Known<unknown>, nowMs: number): string {
  return stale ? `, as of ${durationText((nowMs - atMs) / 1000)} before` : "";
}

export function gateTable(view: RolloutView): Html {
  if (view.gates.length === 0) return html`<p class="soft">None was passed or failed yet.</p>`;
  return table(
    "Gates and verdicts",
    ["Time (UTC)", "Gate", "Node", "Verdict", "What it found"],
    view.gates.map(({ atMs, gate, node, verdict, text, figures }) => {
      const sign = verdict === "passed" ? "✔ passed" : "✕ failed";
      return [clockText(atMs), gate, node ?? "-", sign, figures ? `${text} ${canaryText(figures)}` : text];
    }),
  );
}

function canaryText({ windowMs, new: fresh, old }: CanaryFigures): string {
  const group = (name: string, { requests, errors, p99Ms }: CanaryFigures["new"]) =>
    `${name}: ${countText(errors)} of ${countText(requests)} failed, p99 ${msText(p99Ms)}`;
  return `(${group("new nodes", fresh)}; ${group("old nodes", old)}; in ${durationText(windowMs / 1000)})`;
}

export function decisionTable({ journal }: RolloutView, { decisions, actions }: ReportFacts): Html {
  if (decisions.length === 0) return html`<p class="soft">None was made yet.</p>`;
  return html`<p class="soft">${countText(decisions.length)} decisions, each written down before it was acted upon. The journal's ${countText(actions)} entries on the progress of steps, of ${countText(journal.total)} in all, are left out here; <code>glance-rollout report --json</code> has them.</p>${table(
    "Decisions",
    ["No.", "Time (UTC)", "Phase", "Step", "Why", "Outcome"],
    decisions.map((row) => [
      String(row.line.seq),
      clockText(row.line.atMs),
      row.line.phase,
      [textOf(row.line.data.do) ?? "-", row.line.node ?? ""].join(" ").trim(),
      whyOf(row),
      outcomeOf(row),
    ]),
    [0],
  )}`;
}

/** `drain n1: it serves newton`: the step stands in a column of its own. */
function whyOf({ line }: DecisionRow): string {
  const step = textOf(line.data.do);
  const heads = [`${step} ${line.node ?? ""}: `, `${step}: `].filter((head) => line.text.startsWith(head));
  return line.text.slice(heads[0]?.length ?? 0);
}

function outcomeOf({ outcome }: DecisionRow): string {
  if (!outcome) return "-";
  const took = outcome.ms === null ? "" : ` (${durationText(outcome.ms / 1000)})`;
  return `${outcome.ok ? "✔" : "✕"} ${outcome.text}${took}`;
}

export function runTables({ runs }: ReportFacts): Html {
  const last = runs.at(-1);
  if (!last) return html`<p class="soft">Not recorded: the rollout ran in a version that did not write them down.</p>`;
  return html`${table(
    "Runs",
    ["Run began", "On host", "Way", "To", "Version of this package"],
    runs.map(({ atMs, host, way, target, version }) => [timeText(atMs), host, way, target, version]),
  )}<h3>Settings of the last run</h3><dl>${last.settings.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** `numbers`: columns whose cells stand to the right. */
function table(
  label: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: readonly number[] = [],
): Html {
  const style = (index: number) => (numbers.includes(index) ? "number" : head[index]?.startsWith("Time") ? "time" : "");
  const cell = (text: string, index: number) => html`<td class="${style(index)}">${text}</td>`;
  return html`<div class="wide" tabindex="0" role="group" aria-label="${label}"><table><thead><tr>${head.map(
    (text, index) => html`<th scope="col" class="${style(index)}">${text}</th>`,
  )}</tr></thead><tbody>${rows.map((row) => html`<tr>${row.map(cell)}</tr>`)}</tbody></table></div>`;
}
