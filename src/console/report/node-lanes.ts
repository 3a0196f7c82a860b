// A lane for each node over the time of the rollout: in rotation at the old and at the new release, finishing what it has, out. States are
// told apart by height and hatching as well as by colour.
import type { Mark, NodeState } from "../model.ts";
import { durationText } from "./figures-text.ts";
import { type Html, html } from "./html.ts";
import type { LanePart, NodeHistory } from "./report-facts.ts";
import { type Axis, axisLabels, chart, markLines } from "./time-axis.ts";

/** A picture of more could not be read; the table has them all. */
const lanesMax = 60;
const lane = { top: 22, height: 22, bar: 14 } as const;

const kinds: Readonly<Record<NodeState, string>> = {
  serving: "serves",
  draining: "finishes",
  stopping: "finishes",
  out: "out",
  starting: "starts",
  unwell: "out",
  unknown: "unknown",
};

export function nodeLanes(
  nodes: readonly NodeHistory[],
  target: string,
  axis: Axis,
  marks: readonly Mark[],
): Html | null {
  if (nodes.length === 0 || nodes.length > lanesMax) return null;
  const bottom = lane.top + nodes.length * lane.height;
  return html`<figure>
    <figcaption>Nodes over time ${legend()}</figcaption>
    <svg viewBox="0 0 ${chart.width} ${bottom + 24}" role="img" aria-label="What each node did over the time of the rollout; the table below has the figures">
      <defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-ground" width="5" height="5"/><line class="hatch" x1="0" x2="0" y1="0" y2="5"/></pattern></defs>
      ${markLines(
        axis,
        marks.filter(({ kind }) => kind !== "failure"),
        lane.top,
        bottom,
      )}
      ${nodes.map((node, index) => laneOf(node, lane.top + index * lane.height, target, axis))}
      ${axisLabels(axis, bottom + 16)}</svg></figure>`;
}

function laneOf({ name, parts }: NodeHistory, top: number, target: string, axis: Axis): Html {
  const short = [...name].length > 12 ? `${[...name].slice(0, 11).join("")}…` : name;
  return html`<text class="tick" x="${chart.left - 8}" y="${top + 15}" text-anchor="end">${short}</text>${parts.map((part) => bar(name, part, top, target, axis))}`;
}

function bar(name: string, part: LanePart, top: number, target: string, axis: Axis): Html {
  const kind = kinds[part.state];
  const style = kind === "serves" && part.release === target ? "serves new" : kind;
  const thin = kind === "out" || kind === "unknown";
  const [y, height] = thin ? [top + 10, 2] : [top + 4, lane.bar];
  const x = axis.x(part.fromMs);
  const width = Math.max(1, axis.x(part.untilMs) - x);
  const seconds = durationText((part.untilMs - part.fromMs) / 1000);
  return html`<rect class="bar ${style}" x="${x}" y="${y}" width="${width}" height="${height}"><title>${name}: ${part.state}${part.release === null ? "" : ` (${part.release})`}, ${seconds}</title></rect>`;
}

function legend(): Html {
  const samples = [
    ["serves", "in rotation, old release"],
    ["serves new", "in rotation, new release"],
    ["finishes", "no new requests, finishes what it has"],
    ["out", "out"],
    ["starts", "started, not in rotation yet"],
  ] as const;
  return html`<span class="legend">${samples.map(([style, text]) => {
    const thin = style === "out";
    return html`<span><svg width="26" height="12" aria-hidden="true"><rect class="bar ${style}" x="0" y="${thin ? 5 : 0}" width="26" height="${thin ? 2 : 12}"/></svg> ${text}</span>`;
  })}</span>`;
}
