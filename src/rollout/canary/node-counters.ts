// What a node has answered so far, read from its /metrics: requests, failures, and how long answers took. Routes with image data are
// left out of the times: those are the client's.

export type NodeCounters = {
  readonly requests: number;
  /** Answers of class 5xx. */
  readonly errors: number;
  /** Answers by upper edge of their time, in seconds, each with all that were quicker; the last edge is Infinity. */
  readonly times: readonly (readonly [edgeSeconds: number, count: number])[];
};

const dataRoute = /\/(file|stage)$/;
/** The probe's and the balancer's own question, which no client asks. */
const healthRoute = /healthcheck|metrics/;

/** Null where the text has none of a node's counters. */
export function parseCounters(text: string): NodeCounters | null {
  let [requests, errors, found] = [0, 0, false];
  const times = new Map<number, number>();
  for (const line of text.split("\n")) {
    const [, name, labelText = "", value] = /^(perennial_api_request[a-z_]*)\{([^}]*)\} (\S+)/.exec(line) ?? [];
    if (name === undefined) continue;
    const labels = new Map([...labelText.matchAll(/(\w+)="([^"]*)"/g)].map((match) => [match[1], match[2] ?? ""]));
    const route = labels.get("route") ?? "";
    if (healthRoute.test(route)) continue;
    if (name === "perennial_api_requests_total") {
      found = true;
      requests += Number(value);
      if (labels.get("status") === "5xx") errors += Number(value);
    } else if (name === "perennial_api_request_duration_seconds_bucket" && !dataRoute.test(route)) {
      const edge = labels.get("le") === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels.get("le"));
      times.set(edge, (times.get(edge) ?? 0) + Number(value));
    }
  }
  return found ? { requests, errors, times: [...times].sort(([a], [b]) => a - b) } : null;
}

/** What came after `before`; null where the counters began anew in between. */
export function countersSince(before: NodeCounters, now: NodeCounters): NodeCounters | null {
  const was = new Map(before.times);
  const times = now.times.map(([edge, count]) => [edge, count - (was.get(edge) ?? 0)] as const);
  const since = { requests: now.requests - before.requests, errors: now.errors - before.errors, times };
  const isAnew = since.requests < 0 || since.errors < 0 || times.some(([, count]) => count < 0);
  return isAnew ? null : since;
}

export function addCounters(all: readonly NodeCounters[]): NodeCounters {
  const times = new Map<number, number>();
  for (const one of all) for (const [edge, count] of one.times) times.set(edge, (times.get(edge) ?? 0) + count);
  return {
    requests: all.reduce((sum, one) => sum + one.requests, 0),
    errors: all.reduce((sum, one) => sum + one.errors, 0),
    times: [...times].sort(([a], [b]) => a - b),
  };
}

/** The 99th percentile in milliseconds; null where nothing was answered. */
export function p99MsOf(counters: NodeCounters): number | null {
  return quantileMsOf(counters, 0.99);
}

/** Any quantile in milliseconds, within its bucket as if answers were spread evenly; null where nothing was answered. */
export function quantileMsOf({ times }: Pick<NodeCounters, "times">, quantile: number): number | null {
  const total = times.at(-1)?.[1] ?? 0;
  if (total === 0) return null;
  const wanted = total * quantile;
  let [lower, below] = [0, 0];
  for (const [edge, count] of times) {
    if (count >= wanted) {
      if (edge === Number.POSITIVE_INFINITY) return lower * 1000;
      const share = count === below ? 1 : (wanted - below) / (count - below);
      return (lower + (edge - lower) * share) * 1000;
    }
    [lower, below] = [edge, count];
  }
  return lower * 1000;
}
