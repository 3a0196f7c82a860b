// Adds up what the nodes of a fleet have answered since a run began to look, over restarts of nodes, whose own counters begin anew.
import { addCounters, countersSince, type NodeCounters, parseCounters } from "../canary/node-counters.ts";
import { type FleetSample, type StatusClass, statusClasses } from "./sample.ts";

export type NodeAnswers = {
  readonly counters: NodeCounters;
  readonly answers: Readonly<Record<StatusClass, number>>;
  readonly transfers: number;
};

const nothing: NodeAnswers = {
  counters: { requests: 0, errors: 0, times: [] },
  answers: { "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0 },
  transfers: 0,
};

/** From the text of a node's /metrics; null where it has none of a node's counters. */
export function parseAnswers(text: string): NodeAnswers | null {
  const counters = parseCounters(text);
  if (!counters) return null;
  const answers = { ...nothing.answers };
  let transfers = 0;
  for (const [, route = "", status = "", value = ""] of text.matchAll(
    /^perennial_api_requests_total\{[^}]*route="([^"]*)",status="(\dxx)"\} (\S+)$/gm,
  )) {
    const name = statusClasses.find((one) => one === status);
    if (!name || /healthcheck|metrics/.test(route)) continue;
    answers[name] += Number(value);
    if (name === "2xx" && route.endsWith("/file")) transfers += Number(value);
  }
  return { counters, answers, transfers };
}

export class AnswerTally {
  #sum = nothing;
  #failures: number | null = null;
  readonly #seen = new Map<string, NodeAnswers>();
  readonly #failed = new Map<string, number>();

  /** What a node had answered before it was first asked does not count. */
  add(node: string, now: NodeAnswers): void {
    const before = this.#seen.get(node);
    this.#seen.set(node, now);
    if (before) this.#sum = sumOf(this.#sum, since(before, now));
  }

  /** As the balancer counts failures of a node. */
  addFailures(node: string, failures: number): void {
    const before = this.#failed.get(node);
    this.#failed.set(node, failures);
    this.#failures ??= 0;
    if (before !== undefined) this.#failures += failures < before ? failures : failures - before;
  }

  get figures(): Pick<FleetSample, "answers" | "transfers" | "times" | "balancerFailures"> {
    const { answers, transfers, counters } = this.#sum;
    const times = counters.times.map(([edge, count]) => [Number.isFinite(edge) ? edge : null, count] as const);
    return { answers, transfers, times, balancerFailures: this.#failures };
  }
}

/** All that it counts where it began anew since. */
function since(before: NodeAnswers, now: NodeAnswers): NodeAnswers {
  const counters = countersSince(before.counters, now.counters);
  if (!counters) return now;
  const answers = mapAnswers((name) => Math.max(0, now.answers[name] - before.answers[name]));
  return { counters, answers, transfers: Math.max(0, now.transfers - before.transfers) };
}

function sumOf(one: NodeAnswers, other: NodeAnswers): NodeAnswers {
  return {
    counters: addCounters([one.counters, other.counters]),
    answers: mapAnswers((name) => one.answers[name] + other.answers[name]),
    transfers: one.transfers + other.transfers,
  };
}

function mapAnswers(of: (name: StatusClass) => number): Record<StatusClass, number> {
  return { "2xx": of("2xx"), "3xx": of("3xx"), "4xx": of("4xx"), "5xx": of("5xx") };
}
