// A small rollout as its journal and samples have it, for tests: three nodes from Newton to Ocata, one entry every ten seconds.
import type { FleetSample, NodeSample, SampleSeries } from "../../rollout/samples/sample.ts";
import { type RolloutRecord, Timeline } from "../timeline.ts";

export const beganMs = Date.parse("2026-01-01T00:00:00Z");
export const rolloutId = "glance-ocata-20260101T000000Z";
export const names = ["n1", "n2", "n3"] as const;

type Entry = {
  kind: string;
  phase: string;
  text: string;
  node?: string;
  data?: Record<string, unknown>;
  time?: string;
};

const step = (phase: string, node: string | undefined, does: string, why: string, text: string, more = {}): Entry[] => [
  {
    kind: "decision",
    phase,
    ...(node && { node }),
    text: `${node ? `${does} ${node}` : does}: ${why}`,
    data: { do: does },
  },
  { kind: "result", phase, ...(node && { node }), text, data: { do: does, ok: true, ms: 5, ...more } },
];

const outSteps = (node: string): Entry[] => [
  ...step("nodes", node, "drain", "it serves newton; 2 others serve", `${node} gets no new requests`),
  ...step("nodes", node, "stop", "no request under way", `${node} was told to finish and exit`),
  ...step("nodes", node, "disable", "its process is gone", `${node} is out of rotation`),
  ...step("nodes", node, "install", "it is configured for newton", `${node} is installed as ocata`),
];
const backSteps = (node: string): Entry[] => [
  ...step("nodes", node, "start", "it is installed as ocata", `${node} was started`),
  ...step("nodes", node, "probe", "its health check passes", `created, filled, read back and deleted an image`),
  ...step("nodes", node, "enable", "it answers as it should", `${node} is in rotation`),
];
export const progress = {
  event: "progress",
  phase: "migrate",
  release: "ocata",
  step: "ocata: derive visibility",
  rowsDone: 500,
  rowsTotal: 1000,
  rowsPerSecond: 100,
  etaSeconds: 5,
  batchRows: 50,
};

export const began: Entry = {
  kind: "observation",
  phase: "backup",
  text: "it begins with n1 as newton, n2 as newton, n3 as newton",
  data: { began: { n1: "newton", n2: "newton", n3: "newton" } },
};

/** The whole way. */
export const wholeWay: readonly Entry[] = [
  began,
  ...step("backup", undefined, "back-up", "no backup has been read back", "backup proven by a restore", {
    backup: { host: "h", path: "/b", finishedAt: "2026-01-01T00:00:20Z", bytes: 4096 },
  }),
  ...outSteps("n1"),
  ...step("expand", undefined, "expand", "the schema lacks what ocata adds", "db expand: done"),
  {
    kind: "decision",
    phase: "migrate",
    text: "migrate: rows are not yet as ocata reads them",
    data: { do: "migrate" },
  },
  { kind: "action", phase: "migrate", text: "500 of 1000 rows", data: progress },
  { kind: "result", phase: "migrate", text: "db migrate: done, 1000 rows", data: { do: "migrate", ok: true } },
  ...backSteps("n1"),
  ...outSteps("n2"),
  ...backSteps("n2"),
  ...outSteps("n3"),
  ...backSteps("n3"),
  ...step("contract", undefined, "contract", "every node serves ocata", "db contract: done"),
  {
    kind: "decision",
    phase: "done",
    text: "every node serves ocata and the database is contracted",
    data: { do: "finish" },
  },
];

/** As they would stand in the journal: numbered, ten seconds apart. */
export function dated(entries: readonly Entry[]): readonly Record<string, unknown>[] {
  return entries.map((entry, index) => ({
    seq: index + 1,
    time: new Date(beganMs + index * 10_000).toISOString(),
    ...entry,
  }));
}

export function fleetSample(seconds: number, change: Partial<FleetSample> = {}): FleetSample {
  return {
    atMs: beganMs + seconds * 1000,
    run: "a",
    answers: { "2xx": seconds * 10, "3xx": 0, "4xx": seconds, "5xx": 0 },
    transfers: seconds,
    times: [
      [0.01, seconds * 5],
      [0.1, seconds * 10],
      [null, seconds * 10],
    ],
    balancerFailures: 0,
    told: 3,
    asked: 3,
    ...change,
  };
}

export function nodeSample(name: string, change: Partial<NodeSample> = {}): NodeSample {
  return {
    name,
    release: "newton",
    process: "running",
    healthy: true,
    rotation: "ready",
    up: true,
    requests: 2,
    transfers: { count: 1, bytesLeft: 1_000_000, etaSeconds: 12 },
    heartbeatAgeSeconds: 3,
    ...change,
  };
}

export function nodesAt(seconds: number, nodes: readonly NodeSample[]): SampleSeries["nodes"][number] {
  return { atMs: beganMs + seconds * 1000, read: () => nodes };
}

export function timelineOf(entries: readonly unknown[], more: Partial<RolloutRecord> = {}): Timeline {
  const samples = { fleet: [], nodes: [] };
  return new Timeline({ rolloutId, fleet: "glance", target: "ocata", entries, samples, notes: [], ...more });
}
