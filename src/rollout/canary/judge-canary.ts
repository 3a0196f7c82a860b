// Whether the nodes that were moved do as well as those that were not, in the same window of time. Pure: figures in, a verdict out.

export type CanaryRule = {
  readonly windowMs: number;
  /** Fewer answers than this say nothing. */
  readonly requestsMin: number;
  /** The share of failed answers may be higher than that of the old nodes by this much. */
  readonly errorRateMax: number;
  /** The 99th percentile may be this many times that of the old nodes. */
  readonly p99RatioMax: number;
  readonly onFailure: "pause" | "rollback";
};

export type GroupFigures = {
  readonly nodes: readonly string[];
  readonly requests: number;
  readonly errors: number;
  readonly p99Ms: number | null;
};
export type CanaryFigures = { readonly windowMs: number; readonly new: GroupFigures; readonly old: GroupFigures };

export type CanaryVerdict = { readonly verdict: "passed" | "failed" | "open"; readonly why: string };

/** One failure may be anybody's. */
const errorsMin = 2;
/** Less than this a client does not notice, and the buckets of the metrics do not tell. */
const p99DifferenceMsMin = 25;
/** Of windows, until it is said that too little is asked of the new nodes. */
export const canaryWindowsMax = 5;

export function judgeCanary(rule: CanaryRule, figures: CanaryFigures | null): CanaryVerdict {
  if (!figures) return { verdict: "open", why: "no figures of new and old nodes yet" };
  const told = figuresText(figures);
  const enough = figures.new.requests >= rule.requestsMin;
  const [newRate, oldRate] = [rateOf(figures.new), rateOf(figures.old)];
  // Known before the window is over: each further answer would be one more that fails.
  if (enough && figures.new.errors >= errorsMin && newRate > oldRate + rule.errorRateMax)
    return { verdict: "failed", why: `the new nodes fail more often: ${told}` };
  if (figures.windowMs < rule.windowMs) return { verdict: "open", why: "the new nodes are compared with the old ones" };
  if (!enough) return { verdict: "open", why: `too few requests to tell (${rule.requestsMin} are needed): ${told}` };
  const [newMs, oldMs] = [figures.new.p99Ms, figures.old.p99Ms];
  const comparable = newMs !== null && oldMs !== null && figures.old.requests >= rule.requestsMin;
  if (comparable && newMs > oldMs * rule.p99RatioMax && newMs - oldMs > p99DifferenceMsMin)
    return { verdict: "failed", why: `the new nodes are slower: ${told}` };
  return { verdict: "passed", why: `the new nodes do as well as the old ones: ${told}` };
}

function rateOf({ requests, errors }: GroupFigures): number {
  return requests === 0 ? 0 : errors / requests;
}

function figuresText(figures: CanaryFigures): string {
  const group = (name: string, { requests, errors, p99Ms }: GroupFigures) => {
    const p99 = p99Ms === null ? "" : `, p99 ${Math.round(p99Ms)} ms`;
    return `${name} ${errors} of ${requests} failed${p99}`;
  };
  return `${group("new", figures.new)}; ${group("old", figures.old)}; in ${Math.round(figures.windowMs / 1000)} s`;
}
