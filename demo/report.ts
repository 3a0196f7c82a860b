// What the demo ends with: a table for people, or one JSON object for programs.

import type { DatabaseKind } from "./database.ts";
import type { DemoOutcome } from "./demo.ts";

export type DemoSummary = {
  requests: number;
  failed: number;
  transfersCut: number;
  imagesChecked: number;
  imagesWrong: number;
  p99ControlMs: number;
  p99RolloutMs: number;
  release: string;
  database: DatabaseKind;
  balancer: "builtin" | "haproxy";
  contracted: boolean;
  seconds: number;
};

export function summarize(
  outcome: DemoOutcome,
  options: { database: DatabaseKind; balancer: "builtin" | "haproxy" },
): DemoSummary {
  const { recorder, images } = outcome;
  return {
    requests: recorder.requests,
    failed: recorder.failed,
    transfersCut: recorder.cut,
    imagesChecked: images.checked,
    imagesWrong: images.wrong.length,
    p99ControlMs: recorder.latency("control").p99Ms,
    p99RolloutMs: recorder.latency("rollout").p99Ms,
    release: outcome.release,
    database: options.database,
    balancer: options.balancer,
    contracted: outcome.contracted,
    seconds: outcome.seconds,
  };
}

/** Nothing failed, nothing was cut, nothing is wrong, and the rollout really ended. */
export function isSuccess(outcome: DemoOutcome, summary: DemoSummary): boolean {
  const clean = summary.failed === 0 && summary.transfersCut === 0 && summary.imagesWrong === 0;
  return clean && outcome.rollout.code === 0 && summary.contracted && summary.release === outcome.to;
}

const failuresShownMax = 10;

export function reportText(outcome: DemoOutcome, summary: DemoSummary): string {
  const { recorder, rollout, stops, images } = outcome;
  const lines = [
    "",
    row("kind", ["requests", "failed", "p50 ms", "p99 ms", "max ms"]),
    ...recorder
      .byKind()
      .map(({ kind, requests, failed, p50Ms, p99Ms, maxMs }) => row(kind, [requests, failed, p50Ms, p99Ms, maxMs])),
    "",
    row("all but transfers", ["requests", "", "p50 ms", "p99 ms", "max ms"]),
    ...(["control", "rollout"] as const).map((window) => {
      const { p50Ms, p99Ms, maxMs } = recorder.latency(window);
      return row(`  ${window} window`, [recorder.requestsIn(window), "", p50Ms, p99Ms, maxMs]);
    }),
    "",
    ...stops.map(
      (stop) =>
        `${stop.node} was stopped or handed over with ${stop.uploads} uploads and ${stop.downloads} downloads under way`,
    ),
    `${summary.transfersCut} transfers were cut`,
    `${images.checked} images compared byte by byte, ${images.wrong.length} of them wrong`,
    ...images.wrong.slice(0, failuresShownMax).map((line) => `  ${line}`),
    ...recorder.failures.slice(0, failuresShownMax).map((failure) => `failed: ${failure.kind}: ${failure.what}`),
    ...(rollout.code === 0 ? [] : [`the rollout ended with exit code ${rollout.code}: ${rollout.stderr.trim()}`]),
    "",
    `${isSuccess(outcome, summary) ? "Nobody noticed" : "NOT CLEAN"}: ${summary.requests} requests, ${summary.failed} failed, ` +
      `${outcome.from} to ${summary.release} in ${rollout.seconds} s (${summary.database}, ${summary.balancer}; ${summary.seconds} s in all)`,
  ];
  return `${lines.join("\n")}\n`;
}

function row(title: string, cells: readonly (string | number)[]): string {
  const text = (cell: string | number) =>
    typeof cell === "number" && !Number.isInteger(cell) ? cell.toFixed(1) : cell;
  return title.padEnd(20) + cells.map((cell) => String(text(cell)).padStart(10)).join("");
}
