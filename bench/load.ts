// Measures a server with keep-alive connections from another process, so that the load generator shares no event loop with anything.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export type LoadOptions = {
  readonly origin: string;
  /** Taken in turn. */
  readonly paths: readonly string[];
  /** Sent with each request, by POST; absent: GET. */
  readonly body?: string;
  /** What an answer has to be; absent: 200. */
  readonly status?: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
};

export type LoadResult = {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly requests: number;
  /** Anything that was not of the status asked for. */
  readonly errors: number;
};

export async function load(options: LoadOptions): Promise<LoadResult> {
  const child = fork(fileURLToPath(new URL("load-process.ts", import.meta.url)));
  child.send(options);
  const [[result]] = await Promise.all([once(child, "message"), once(child, "exit")]);
  return result as LoadResult;
}

/** Runs both in turns, several rounds, so that what the machine does meanwhile hits both; gives the median of each. */
export async function compare(
  options: Omit<LoadOptions, "origin">,
  origins: { ours: string; bare: string },
  rounds: number,
): Promise<{ ours: LoadResult; bare: LoadResult }> {
  const ours: LoadResult[] = [];
  const bare: LoadResult[] = [];
  // The first round warms up caches and compilers.
  for (let round = 0; round <= rounds; round++) {
    const both = [
      await load({ ...options, origin: origins.ours }),
      await load({ ...options, origin: origins.bare }),
    ] as const;
    if (round === 0) continue;
    ours.push(both[0]);
    bare.push(both[1]);
  }
  return { ours: median(ours), bare: median(bare) };
}

function median(results: readonly LoadResult[]): LoadResult {
  const sorted = [...results].sort((one, other) => one.perSecond - other.perSecond);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (!middle) throw new Error("a median needs a result");
  return { ...middle, errors: results.reduce((sum, result) => sum + result.errors, 0) };
}
