// The load generator's process: asks as fast as answers come, on a fixed number of connections, and sends its figures to its parent.
import { once } from "node:events";
import { build } from "hdr-histogram-js";
import { Client } from "undici";
import type { LoadOptions, LoadResult } from "./load.ts";

const [{ origin, paths, headers, connections, seconds, body: sent, status = 200 }] = (await once(
  process,
  "message",
)) as [LoadOptions];
const histogram = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
let next = 0;
let errors = 0;
const started = performance.now();
const until = started + seconds * 1_000;

await Promise.all(Array.from({ length: connections }, ask));

async function ask(): Promise<void> {
  const client = new Client(origin, { pipelining: 1 });
  while (performance.now() < until) {
    const path = paths[next++ % paths.length] ?? "/";
    const asked = performance.now();
    try {
      const message = sent === undefined ? ({ method: "GET" } as const) : ({ method: "POST", body: sent } as const);
      const { statusCode, body } = await client.request({ ...message, path, headers });
      for await (const _ of body);
      if (statusCode !== status) errors++;
    } catch {
      errors++;
    }
    histogram.recordValue(Math.max(1, Math.round((performance.now() - asked) * 1_000)));
  }
  await client.close();
}

const elapsedSeconds = (performance.now() - started) / 1_000;
const result: LoadResult = {
  perSecond: Math.round((histogram.totalCount / elapsedSeconds) * 100) / 100,
  p50Ms: histogram.getValueAtPercentile(50) / 1_000,
  p99Ms: histogram.getValueAtPercentile(99) / 1_000,
  requests: histogram.totalCount,
  errors,
};
process.send?.(result);
process.disconnect?.();
