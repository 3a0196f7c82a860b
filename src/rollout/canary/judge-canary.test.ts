// The comparison of new nodes with old ones: what fails, what passes, and what cannot be told yet.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CanaryFigures, type CanaryRule, type GroupFigures, judgeCanary } from "./judge-canary.ts";
import { addCounters, countersSince, p99MsOf, parseCounters } from "./node-counters.ts";

const rule: CanaryRule = {
  windowMs: 60_000,
  requestsMin: 100,
  errorRateMax: 0.01,
  p99RatioMax: 2,
  onFailure: "pause",
};
const old: GroupFigures = { nodes: ["n2"], requests: 2_000, errors: 2, p99Ms: 40 };
const well: GroupFigures = { nodes: ["n1"], requests: 1_000, errors: 1, p99Ms: 50 };
const judge = (change: Partial<GroupFigures>, windowMs = 60_000, others: Partial<GroupFigures> = {}) => {
  const figures: CanaryFigures = { windowMs, new: { ...well, ...change }, old: { ...old, ...others } };
  return judgeCanary(rule, figures);
};

test("nodes that do as well pass when the window is over, with their figures in words", () => {
  assert.equal(judge({}, 59_999).verdict, "open");
  const { verdict, why } = judge({});
  assert.equal(verdict, "passed");
  assert.match(why, /new 1 of 1000 failed, p99 50 ms; old 2 of 2000 failed, p99 40 ms; in 60 s/);
});
test("one answer in fifty that fails is told before the window is over; one failure alone is not", () => {
  assert.equal(judge({ errors: 20 }, 10_000).verdict, "failed");
  assert.equal(judge({ requests: 100, errors: 1 }, 60_000).verdict, "passed", "1 % is allowed");
  assert.equal(judge({ requests: 100, errors: 2 }).verdict, "failed");
  assert.equal(judge({ requests: 99, errors: 50 }, 10_000).verdict, "open", "too few to tell");
});
test("what fails on the old nodes as well is not the new release's fault", () => {
  assert.equal(judge({ errors: 100 }, 60_000, { errors: 200 }).verdict, "passed");
});
test("three times slower fails; slower by less than anybody notices does not, nor where old nodes had nothing to do", () => {
  assert.equal(judge({ p99Ms: 120 }).verdict, "failed");
  assert.equal(judge({ p99Ms: 12 }, 60_000, { p99Ms: 4 }).verdict, "passed");
  assert.equal(judge({ p99Ms: 120 }, 60_000, { requests: 3 }).verdict, "passed");
  assert.equal(judge({ p99Ms: null }).verdict, "passed");
});
test("without figures, or with too few, nothing is told", () => {
  assert.equal(judgeCanary(rule, null).verdict, "open");
  assert.match(judge({ requests: 5, errors: 0 }).why, /too few requests to tell \(100 are needed\)/);
});

const text = (ok: number, failed: number, quick: number, slow: number) => `# HELP perennial_api_requests_total x
perennial_api_requests_total{method="GET",route="/images",status="2xx"} ${ok}
perennial_api_requests_total{method="GET",route="/images",status="5xx"} ${failed}
perennial_api_requests_total{method="GET",route="/healthcheck",status="5xx"} 999
perennial_api_request_duration_seconds_bucket{le="0.1",method="GET",route="/images"} ${quick}
perennial_api_request_duration_seconds_bucket{le="1",method="GET",route="/images"} ${quick + slow}
perennial_api_request_duration_seconds_bucket{le="+Inf",method="GET",route="/images"} ${quick + slow}
perennial_api_request_duration_seconds_bucket{le="+Inf",method="GET",route="/images/:imageId/file"} 77
perennial_api_request_duration_seconds_sum{method="GET",route="/images"} 3
`;
test("a node's counters are read from its metrics, without health checks, and without the times of image data", () => {
  assert.deepEqual(parseCounters(text(10, 2, 9, 3)), {
    requests: 12,
    errors: 2,
    times: [
      [0.1, 9],
      [1, 12],
      [Number.POSITIVE_INFINITY, 12],
    ],
  });
  assert.equal(parseCounters("go_goroutines 7"), null);
});
test("figures of a window are differences; counters that began anew have none", () => {
  const [before, after] = [parseCounters(text(100, 1, 90, 11)), parseCounters(text(300, 5, 290, 15))];
  assert(before && after);
  const since = countersSince(before, after);
  assert.deepEqual([since?.requests, since?.errors, since?.times[0]], [204, 4, [0.1, 200]]);
  assert.equal(countersSince(after, before), null);
});
test("the 99th percentile lies within its bucket, and of several nodes it is that of all their answers", () => {
  const even = {
    requests: 100,
    errors: 0,
    times: [
      [0.1, 0],
      [0.2, 100],
      [Number.POSITIVE_INFINITY, 100],
    ],
  } as const;
  assert.equal(Math.round(p99MsOf(even) ?? 0), 199);
  assert.equal(p99MsOf({ requests: 0, errors: 0, times: [] }), null);
  const slow = {
    requests: 100,
    errors: 1,
    times: [
      [0.1, 0],
      [0.2, 0],
      [Number.POSITIVE_INFINITY, 100],
    ],
  } as const;
  const both = addCounters([even, slow]);
  assert.deepEqual([both.requests, both.errors, p99MsOf(both)], [200, 1, 200]);
});
