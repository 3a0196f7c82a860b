// The time axis that all pictures of a report share: the same moment stands at the same place in each.
import type { Mark } from "../model.ts";
import { clockText } from "./figures-text.ts";
import { type Html, html } from "./html.ts";

export const chart = { width: 960, left: 92, right: 12 } as const;

export type Axis = { readonly fromMs: number; readonly untilMs: number; readonly x: (atMs: number) => number };

export function timeAxis(fromMs: number, untilMs: number): Axis {
  const spanMs = Math.max(1, untilMs - fromMs);
  const width = chart.width - chart.left - chart.right;
  const x = (atMs: number) => {
    const share = Math.min(1, Math.max(0, (atMs - fromMs) / spanMs));
    return Math.round((chart.left + share * width) * 10) / 10;
  };
  return { fromMs, untilMs, x };
}

const ticks = 6;

/** Moments below a picture, the last one within its width. */
export function axisLabels(axis: Axis, y: number): Html {
  const moments = Array.from({ length: ticks + 1 }, (_one, index) => {
    return axis.fromMs + ((axis.untilMs - axis.fromMs) * index) / ticks;
  });
  return html`${moments.map((atMs, index) => {
    const anchor = index === 0 ? "start" : index === ticks ? "end" : "middle";
    return html`<text class="tick" x="${axis.x(atMs)}" y="${y}" text-anchor="${anchor}">${clockText(atMs)}</text>`;
  })}`;
}

const labelWidth = 64;
const signs: Partial<Record<Mark["kind"], string>> = { pause: "‖", failure: "✕", verdict: "◆" };

/** Where phases begin, and what went wrong, as lines through a picture from `top` to `bottom`. */
export function markLines(axis: Axis, marks: readonly Mark[], top: number, bottom: number): Html {
  let free = Number.NEGATIVE_INFINITY;
  const drawn = marks.flatMap((mark) => {
    const sign = signs[mark.kind];
    if (mark.kind !== "phase" && sign === undefined) return [];
    const x = axis.x(mark.atMs);
    const text = sign ?? mark.text.replace(/^phase /, "");
    const isFree = x >= free && x + labelWidth < chart.width;
    if (isFree) free = x + (sign === undefined ? labelWidth : 14);
    const label = isFree && html`<text class="mark" x="${x + 3}" y="${top - 4}">${text}</text>`;
    return [html`<line class="mark-line ${mark.kind}" x1="${x}" x2="${x}" y1="${top}" y2="${bottom}"/>${label}`];
  });
  return html`${drawn}`;
}
