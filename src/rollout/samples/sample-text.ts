// Samples as they are kept: JSON in ASCII, nodes as short rows, because a fleet may have a thousand of them every couple of seconds. What
// another version wrote otherwise is left out by readers, and never guessed at.
import { type FleetSample, type NodeSample, type StatusClass, statusClasses } from "./sample.ts";

export const sampleKinds = ["fleet", "nodes"] as const;
export type SampleKind = (typeof sampleKinds)[number];

export function writeFleetSample({ atMs: _atMs, ...sample }: FleetSample): string {
  return ascii(sample);
}

/** Undefined where it is none. */
export function readFleetSample(atMs: number, body: string): FleetSample | undefined {
  const found = parse(body);
  if (!isRecord(found) || !isRecord(found.answers) || typeof found.run !== "string") return undefined;
  const { answers, times } = found;
  const counts = statusClasses.map((name) => [name, numberOf(answers[name]) ?? 0] as const);
  return {
    atMs,
    run: found.run,
    answers: Object.fromEntries(counts) as Record<StatusClass, number>,
    transfers: numberOf(found.transfers) ?? 0,
    times: Array.isArray(times) ? times.flatMap(readTime) : [],
    balancerFailures: numberOf(found.balancerFailures),
    told: numberOf(found.told) ?? 0,
    asked: numberOf(found.asked) ?? 0,
  };
}

export function writeNodeSamples(nodes: readonly NodeSample[]): string {
  return ascii(
    nodes.map(({ name, release, process, healthy, rotation, up, requests, transfers, heartbeatAgeSeconds }) => {
      const { count, bytesLeft, etaSeconds } = transfers ?? { count: null, bytesLeft: null, etaSeconds: null };
      const age = heartbeatAgeSeconds === null ? null : Math.round(heartbeatAgeSeconds);
      return [name, release, process, healthy, rotation, up, requests, count, bytesLeft, etaSeconds, age];
    }),
  );
}

export function readNodeSamples(body: string): readonly NodeSample[] {
  const found = parse(body);
  return Array.isArray(found) ? found.flatMap(readNode) : [];
}

function readNode(row: unknown): NodeSample[] {
  if (!Array.isArray(row) || typeof row[0] !== "string") return [];
  const [name, release, process, healthy, rotation, up, requests, count, bytesLeft, etaSeconds, age]: unknown[] = row;
  const transfers = numberOf(count);
  return [
    {
      name: String(name),
      release: typeof release === "string" ? release : null,
      process: oneOf(process, ["running", "stopping", "gone"]),
      healthy: flagOf(healthy),
      rotation: oneOf(rotation, ["ready", "drain", "maint"]),
      up: flagOf(up),
      requests: numberOf(requests),
      transfers:
        transfers === null
          ? null
          : { count: transfers, bytesLeft: numberOf(bytesLeft), etaSeconds: numberOf(etaSeconds) },
      heartbeatAgeSeconds: numberOf(age),
    },
  ];
}

function readTime(pair: unknown): (readonly [number | null, number])[] {
  if (!Array.isArray(pair)) return [];
  const count = numberOf(pair[1]);
  return count === null ? [] : [[numberOf(pair[0]), count]];
}

function oneOf<Word extends string>(value: unknown, words: readonly Word[]): Word | null {
  return words.find((word) => word === value) ?? null;
}

function flagOf(value: unknown): boolean | null {
  return typeof value === "boolean" ? value : null;
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** Kept in columns of three-byte UTF-8 too. */
function ascii(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[\u007f-\uffff]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
