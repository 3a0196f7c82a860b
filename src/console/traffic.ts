// Traffic over time, from samples whose counts only grow: each point is the difference between two of them, so that it is right
// whichever samples in between were thinned out.
import { type NodeCounters, quantileMsOf } from "../rollout/canary/node-counters.ts";
import { type FleetSample, type StatusClass, statusClasses } from "../rollout/samples/sample.ts";
import type { TrafficPoint, TrafficTotals } from "./model.ts";

type Answers = Record<StatusClass, number>;
type Sum = {
  readonly answers: Answers;
  readonly transfers: number;
  readonly balancerFailures: number;
  readonly times: ReadonlyMap<number, number>;
};
const nothing: Sum = {
  answers: { "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0 },
  transfers: 0,
  balancerFailures: 0,
  times: new Map(),
};

export class TrafficTrack {
  readonly points: TrafficPoint[] = [];
  /** What was answered up to each point. */
  readonly #sums: Sum[] = [];
  #last: FleetSample | null = null;
  #lastAtMs = Number.NEGATIVE_INFINITY;

  get recorded(): boolean {
    return this.#last !== null;
  }

  add(sample: FleetSample): void {
    const last = this.#last;
    // A clock that was set back makes no time run backwards.
    const atMs = Math.max(sample.atMs, this.#lastAtMs);
    const seconds = (atMs - this.#lastAtMs) / 1000;
    const isSameRun = last?.run === sample.run;
    this.#last = sample;
    this.#lastAtMs = atMs;
    if (!last || !isSameRun || seconds <= 0) return;
    const since = difference(last, sample);
    const before = this.points.at(-1);
    const gap = before !== undefined && before.atMs < atMs - seconds * 1000 - 1;
    this.points.push(pointOf(atMs, seconds, since, gap, sample));
    this.#sums.push(add(this.#sums.at(-1) ?? nothing, since));
  }

  /** After the first `count` points. */
  totals(count: number): TrafficTotals {
    const { answers, transfers, balancerFailures, times } = this.#sums[count - 1] ?? nothing;
    const requests = statusClasses.reduce((sum, name) => sum + answers[name], 0);
    const failures = Math.max(answers["5xx"], balancerFailures);
    const counters = countersOf(times);
    return {
      answers,
      requests,
      failures,
      transfers,
      p50Ms: quantileMsOf(counters, 0.5),
      p99Ms: quantileMsOf(counters, 0.99),
    };
  }
}

function pointOf(atMs: number, seconds: number, since: Sum, gap: boolean, { told, asked }: FleetSample): TrafficPoint {
  const counters = countersOf(since.times);
  const perSecond = mapAnswers((name) => since.answers[name] / seconds);
  const [p50Ms, p99Ms] = [quantileMsOf(counters, 0.5), quantileMsOf(counters, 0.99)];
  return { atMs, seconds, perSecond, p50Ms, p99Ms, gap, told, asked };
}

function difference(before: FleetSample, now: FleetSample): Sum {
  const was = new Map(before.times.map(([edge, count]) => [edge ?? Number.POSITIVE_INFINITY, count]));
  const times = now.times.map(([edgeOrNull, count]) => {
    const edge = edgeOrNull ?? Number.POSITIVE_INFINITY;
    return [edge, Math.max(0, count - (was.get(edge) ?? 0))] as const;
  });
  const [failedBefore, failed] = [before.balancerFailures, now.balancerFailures];
  return {
    answers: mapAnswers((name) => Math.max(0, now.answers[name] - before.answers[name])),
    transfers: Math.max(0, now.transfers - before.transfers),
    balancerFailures: failed === null || failedBefore === null ? 0 : Math.max(0, failed - failedBefore),
    times: new Map(times),
  };
}

function add(one: Sum, other: Sum): Sum {
  const times = new Map(one.times);
  for (const [edge, count] of other.times) times.set(edge, (times.get(edge) ?? 0) + count);
  return {
    answers: mapAnswers((name) => one.answers[name] + other.answers[name]),
    transfers: one.transfers + other.transfers,
    balancerFailures: one.balancerFailures + other.balancerFailures,
    times,
  };
}

function mapAnswers(of: (name: StatusClass) => number): Answers {
  return { "2xx": of("2xx"), "3xx": of("3xx"), "4xx": of("4xx"), "5xx": of("5xx") };
}

function countersOf(times: ReadonlyMap<number, number>): Pick<NodeCounters, "times"> {
  return { times: [...times].sort(([a], [b]) => a - b) };
}
