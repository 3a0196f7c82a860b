// A chart over time that follows the page's colours, its size and the rollout's events. uPlot draws; this gives it what the page knows.

import uPlot from "uplot";
import type { Mark } from "../../../src/console/model.ts";

export type Line = {
  readonly label: string;
  /** Custom property of the page's style. */
  readonly colour: string;
  readonly dash?: readonly number[];
  readonly filled?: boolean;
};
export type ChartData = readonly (readonly (number | null)[])[];

export class Chart {
  readonly #place: HTMLElement;
  readonly #lines: readonly Line[];
  readonly #unit: (value: number) => string;
  #data: ChartData = [[]];
  #marks: readonly Mark[] = [];
  #range: readonly [number, number] = [0, 1];
  #plot: uPlot | null = null;
  readonly #sizes = new ResizeObserver(() => this.#fit());
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  readonly #recolour = () => this.#draw();

  constructor(place: HTMLElement, lines: readonly Line[], unit: (value: number) => string) {
    this.#place = place;
    this.#lines = lines;
    this.#unit = unit;
    this.#sizes.observe(place);
    this.#dark.addEventListener("change", this.#recolour);
    this.#draw();
  }

  /** Times in seconds since the epoch. */
  show(data: ChartData, marks: readonly Mark[], range: readonly [number, number]): void {
    if (this.#isDrawn(data, marks, range)) return;
    this.#data = data;
    this.#marks = marks;
    this.#range = range;
    this.#plot?.setData(data as uPlot.AlignedData);
  }

  /** Nothing is another one, and time has moved by less than a pixel. */
  #isDrawn(data: ChartData, marks: readonly Mark[], [from, to]: readonly [number, number]): boolean {
    if (data !== this.#data || marks.length !== this.#marks.length) return false;
    if (marks.some((mark, index) => mark.seq !== this.#marks[index]?.seq)) return false;
    const pixels = Math.max(1, this.#place.clientWidth) * devicePixelRatio;
    const moved = Math.max(Math.abs(from - this.#range[0]), Math.abs(to - this.#range[1]));
    return moved < (to - from) / pixels;
  }

  remove(): void {
    this.#sizes.disconnect();
    this.#dark.removeEventListener("change", this.#recolour);
    this.#plot?.destroy();
  }

  #fit(): void {
    const { clientWidth: width, clientHeight: height } = this.#place;
    if (width > 0 && height > 0) this.#plot?.setSize({ width, height });
  }

  #draw(): void {
    this.#plot?.destroy();
    const style = getComputedStyle(this.#place);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const font = `11px ${style.fontFamily}`;
    const axis = {
      stroke: colour("--muted"),
      font,
      ticks: { show: false },
      grid: { stroke: colour("--line"), width: 1 },
    };
    this.#plot = new uPlot(
      {
        width: Math.max(100, this.#place.clientWidth),
        height: Math.max(60, this.#place.clientHeight),
        padding: [8, 28, 0, 0],
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, points: { size: 6 } },
        scales: {
          x: { range: () => [this.#range[0], this.#range[1]] },
          y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.15 : 10] },
        },
        axes: [
          { ...axis, size: 22, space: 90, grid: { show: false }, values: "{HH}:{mm}:{ss}" },
          { ...axis, size: 52, space: 32, values: (_plot, values) => values.map(this.#unit) },
        ],
        series: [
          {},
          ...this.#lines.map((line) => ({
            label: line.label,
            stroke: colour(line.colour),
            width: 1.75,
            // One alone makes no line.
            points: { show: (_plot: uPlot, _series: number, first: number, last: number) => first === last },
            spanGaps: false,
            ...(line.dash && { dash: [...line.dash] }),
            ...(line.filled && { fill: `color-mix(in srgb, ${colour(line.colour)} 14%, transparent)` }),
          })),
        ],
        hooks: { drawClear: [(plot) => this.#drawMarks(plot, colour)] },
      },
      this.#data as uPlot.AlignedData,
      this.#place,
    );
  }

  #drawMarks(plot: uPlot, colour: (name: string) => string): void {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.lineWidth = devicePixelRatio;
    for (const mark of this.#marks) {
      const x = Math.round(plot.valToPos(mark.atMs / 1000, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      const isTrouble = mark.kind === "failure" || mark.kind === "pause";
      ctx.strokeStyle = colour(isTrouble ? "--bad" : mark.kind === "phase" ? "--mark" : "--line-strong");
      ctx.setLineDash(mark.kind === "phase" ? [] : [3 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }
}
